//! Version: which digestif this is, for people, for registries and for reports of defects.

/// The version, with the commit and the target of the build.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("DIGESTIF_BUILD"), ")");

/// The `User-Agent` of requests (RFC 9110, 10.1.5): the version, and as a comment the commit, the target
/// and where the project is, if that is known.
#[must_use]
pub fn user_agent() -> String {
    agent(env!("CARGO_PKG_VERSION"), env!("DIGESTIF_BUILD"), env!("CARGO_PKG_REPOSITORY"))
}

fn agent(version: &str, build: &str, repository: &str) -> String {
    let build = build.replace(", ", "; ");
    let contact = if repository.is_empty() { String::new() } else { format!("; +{repository}") };
    format!("digestif/{version} ({build}{contact})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_agent_says_which_build_it_is_and_whom_to_ask() {
        let build = "0123456789ab, x86_64-unknown-linux-musl";
        let plain = "digestif/0.1.0 (0123456789ab; x86_64-unknown-linux-musl)";
        assert_eq!(agent("0.1.0", build, ""), plain);
        let known =
            "digestif/0.1.0 (0123456789ab; x86_64-unknown-linux-musl; +https://example.com/d)";
        assert_eq!(agent("0.1.0", build, "https://example.com/d"), known);
    }
}
