//! Outcome: the meaning of an answer without a digest. Later stages decide by nothing else.

use crate::diagnostic::Failure;
use crate::image::Digest;

/// The reason why there is no digest for a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its meaning.
    pub outcome: Outcome,
    /// The answer, for messages: `404 with code MANIFEST_UNKNOWN from quay.io`.
    pub detail: String,
    /// The host that was asked, as images and logins name it; none if there was no request.
    pub host: Option<String>,
}

impl Refusal {
    /// A refusal without a host.
    pub(crate) fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { outcome, detail: detail.into(), host: None }
    }

    /// The same from this host, if it has none.
    pub(super) fn from(mut self, host: &str) -> Self {
        self.host.get_or_insert_with(|| host.to_owned());
        self
    }

    /// The same with a sentence for each login that was refused before.
    pub(super) fn after(mut self, refused_to: &[String]) -> Self {
        for who in refused_to {
            self.detail.push_str("; ");
            self.detail.push_str(who);
        }
        self
    }
}

/// A digest, or why there is none.
pub type Answer = Result<Digest, Refusal>;

/// The meaning of an answer without a digest. Only the two kinds of `Missing` prove absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The repository exists, but not the tag; or the registry does not tell the two apart.
    MissingTag,
    /// The repository does not exist.
    MissingRepository,
    /// 401 or 403: the repository may be absent or private.
    Denied,
    /// 429.
    RateLimited,
    /// No answer, or 408 or 5xx, to the last try.
    Unreachable,
    /// No connection to the host.
    NoConnection,
    /// The host's certificate is not trusted.
    Untrusted,
    /// The host's certificate is for another name or another time, or is broken.
    WrongCertificate,
    /// A file with certificates for the host can't be used.
    UnusableCertificates,
    /// The host wants a client certificate, or another one.
    ClientCertificateRequired,
    /// The proxy can't be reached, or refuses the connection.
    ProxyFailed,
    /// An answer that is not a registry's. A proxy or a captive portal may have given it.
    InvalidResponse,
    /// A manifest of Docker's schema 1, which has been retired.
    OldManifest,
    /// A 404 without the mark of a registry. A gateway may have given it.
    Unproven,
    /// The list of tags can't be read to its end.
    Unlistable,
    /// A pull-through cache does not have it. Its registry may.
    NotCached,
    /// `--offline` allows no request, and no layout has the repository.
    OfflineMiss,
    /// The lock does not have it and nothing may be added, or its substitute is refused.
    NotLocked,
}

impl Outcome {
    /// The failure of an image with this outcome that no rule resolves.
    #[must_use]
    pub fn failure(self) -> Failure {
        match self {
            Self::MissingTag | Self::MissingRepository => Failure::Absent,
            Self::Denied | Self::Unlistable => Failure::Refused,
            Self::RateLimited
            | Self::Unreachable
            | Self::NoConnection
            | Self::Untrusted
            | Self::WrongCertificate
            | Self::ClientCertificateRequired
            | Self::ProxyFailed
            | Self::InvalidResponse
            | Self::OldManifest
            | Self::Unproven
            | Self::NotCached => Failure::Unavailable,
            Self::UnusableCertificates => Failure::Usage,
            Self::OfflineMiss | Self::NotLocked => Failure::Policy,
        }
    }

    /// True if a rule may apply: the image is proved absent, or denied, which some rules treat as
    /// absent.
    #[must_use]
    pub fn may_be_absent(self) -> bool {
        self.failure() == Failure::Absent || self == Self::Denied
    }

    /// True if it is about the host, so that it holds for every image there.
    #[must_use]
    pub fn is_of_host(self) -> bool {
        matches!(
            self,
            Self::NoConnection
                | Self::Untrusted
                | Self::WrongCertificate
                | Self::ClientCertificateRequired
                | Self::ProxyFailed
        )
    }

    /// Its word in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::MissingTag | Self::MissingRepository => "missing",
            Self::Denied => "denied",
            Self::RateLimited => "rate-limited",
            Self::Unreachable
            | Self::NoConnection
            | Self::Untrusted
            | Self::WrongCertificate
            | Self::UnusableCertificates
            | Self::ClientCertificateRequired
            | Self::ProxyFailed
            | Self::NotCached => "unreachable",
            Self::InvalidResponse | Self::OldManifest | Self::Unproven | Self::Unlistable => {
                "invalid-response"
            }
            Self::OfflineMiss | Self::NotLocked => "not-recorded",
        }
    }
}
