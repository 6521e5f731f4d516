//! Layouts: OCI image layouts on disk, read instead of a registry.
//!
//! Owns how the tools name what is in one: skopeo and crane write the full reference as
//! `org.opencontainers.image.ref.name`, docker and containerd write it as
//! `io.containerd.image.name`, oras writes the bare tag. A bare tag counts only where the layout's
//! folder says the repository (`DIR/quay.io/acme/web`). Every manifest is hashed before its digest
//! is believed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use oci_client::manifest::{ImageIndexEntry, OciImageIndex};

use crate::diagnostic::{Diagnostic, Failure, Location, RuleId};
use crate::image::{Digest, Reference, Repository, Tag, Tagged, has_host};
use crate::text::path::{shown, slashed};

/// The full reference, as docker and containerd write it.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// The reference or the tag (OCI image spec 1.1, "Pre-Defined Annotation Keys").
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The largest index of a layout: 10,000 images take about 4 MiB.
const MAX_INDEX: u64 = 64 << 20;

/// The largest manifest, as registries have it.
const MAX_MANIFEST: u64 = 4 << 20;

/// The entries of the layouts for one reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The manifest is there, and its hash is right.
    Found(Digest),
    /// The repository is there, the tag is not.
    NoSuchTag,
    /// Nothing of the repository is there.
    NoSuchRepository,
}

/// The names of all layouts of a run.
#[derive(Debug, Default)]
pub struct Layouts {
    images: BTreeMap<Tagged, Digest>,
    repositories: BTreeSet<Repository>,
    folders: Vec<PathBuf>,
}

impl Layouts {
    /// Reads the indexes of these folders, each a layout or a tree of layouts named by their
    /// repositories, and hashes every manifest that has a name. The first folder wins.
    ///
    /// # Errors
    /// Every folder that can't be read, names one image twice, or holds a manifest whose hash is
    /// wrong.
    pub fn read(folders: &[PathBuf]) -> Result<Self, Vec<Diagnostic>> {
        let mut layouts = Self::default();
        let mut diagnostics = Vec::new();
        for folder in folders {
            match layouts_below(folder) {
                Ok(found) => {
                    for layout in found {
                        let repository = repository_of(folder, &layout);
                        match read_layout(&layout, repository.as_ref()) {
                            Ok(images) => {
                                layouts.add(images);
                                layouts.folders.push(layout);
                            }
                            Err(diagnostic) => diagnostics.push(diagnostic),
                        }
                    }
                }
                Err(diagnostic) => diagnostics.push(diagnostic),
            }
        }
        if diagnostics.is_empty() { Ok(layouts) } else { Err(diagnostics) }
    }

    /// The entry for a reference.
    #[must_use]
    pub fn find(&self, tagged: &Tagged) -> Lookup {
        match self.images.get(tagged) {
            Some(digest) => Lookup::Found(digest.clone()),
            None if self.repositories.contains(&tagged.repository) => Lookup::NoSuchTag,
            None => Lookup::NoSuchRepository,
        }
    }

    /// The content of a manifest or blob, where one of them has it and it hashes to its digest.
    #[must_use]
    pub fn content(&self, digest: &Digest) -> Option<Vec<u8>> {
        let read = |folder: &PathBuf| read_capped(&blob(folder, digest), MAX_MANIFEST).ok();
        let is_right = |content: &Vec<u8>| Digest::of(digest.algorithm(), content) == *digest;
        self.folders.iter().filter_map(read).find(is_right)
    }

    /// All tags of a repository.
    pub fn tags(&self, repository: &Repository) -> impl Iterator<Item = &Tag> {
        let images = self.images.keys().filter(move |tagged| tagged.repository == *repository);
        images.map(|tagged| &tagged.tag)
    }

    fn add(&mut self, images: BTreeMap<Tagged, Digest>) {
        for (tagged, digest) in images {
            self.repositories.insert(tagged.repository.clone());
            self.images.entry(tagged).or_insert(digest);
        }
    }
}

/// True if a folder is an OCI image layout.
#[must_use]
pub fn is_layout(folder: &Path) -> bool {
    folder.join("oci-layout").is_file()
}

fn layouts_below(folder: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    if is_layout(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    let mut found = Vec::new();
    let mut walk = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        let entry = entry.map_err(|error| {
            // Its own text names the path again.
            let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
            unusable(folder, &reason)
        })?;
        if entry.file_type().is_dir() && is_layout(entry.path()) {
            found.push(entry.into_path());
            walk.skip_current_dir();
        }
    }
    if found.is_empty() {
        return Err(unusable(folder, "there is no OCI image layout in it (no file `oci-layout`)"));
    }
    Ok(found)
}

/// The repository that a layout's place in a tree says. The parts of the path are joined with slashes,
/// whatever separates them in paths.
fn repository_of(folder: &Path, layout: &Path) -> Option<Repository> {
    let below = layout.strip_prefix(folder).ok()?;
    let parts: Option<Vec<&str>> =
        below.components().map(|part| part.as_os_str().to_str()).collect();
    let name = parts?.join("/");
    has_host(&name).then(|| name.parse().ok()).flatten()
}

fn read_layout(
    layout: &Path,
    repository: Option<&Repository>,
) -> Result<BTreeMap<Tagged, Digest>, Diagnostic> {
    let path = layout.join("index.json");
    let text =
        read_capped(&path, MAX_INDEX).map_err(|error| unusable(&path, &error.to_string()))?;
    let index: OciImageIndex =
        serde_json::from_slice(&text).map_err(|error| unusable(&path, &error.to_string()))?;
    let mut images = BTreeMap::new();
    for entry in &index.manifests {
        let Some(tagged) = name(entry, repository) else { continue };
        let digest = checked(layout, entry).map_err(|error| unusable(&path, &error))?;
        if let Some(other) = images.insert(tagged.clone(), digest.clone())
            && other != digest
        {
            return Err(unusable(&path, &format!("`{tagged}` is {other} and also {digest}")));
        }
    }
    Ok(images)
}

/// The reference that an entry of an index is named by; none if no repository is known.
fn name(entry: &ImageIndexEntry, repository: Option<&Repository>) -> Option<Tagged> {
    let annotations = entry.annotations.as_ref()?;
    if let Some(full) = annotations.get(CONTAINERD_NAME) {
        return tagged(full);
    }
    let name = annotations.get(REF_NAME)?;
    match repository {
        Some(repository) if !name.contains(['/', ':', '@']) => {
            tagged(&format!("{repository}:{name}"))
        }
        // A name without a registry could be anybody's; it is not taken for Docker Hub's.
        _ if has_host(name) => tagged(name),
        _ => None,
    }
}

fn tagged(text: &str) -> Option<Tagged> {
    match text.parse() {
        Ok(Reference::Tagged(tagged)) => Some(tagged),
        _ => None,
    }
}

/// The digest of an entry, if the blob of that digest hashes to it.
fn checked(layout: &Path, entry: &ImageIndexEntry) -> Result<Digest, String> {
    let digest: Digest = entry.digest.parse().map_err(|error| format!("{error}"))?;
    let blob = blob(layout, &digest);
    let content = read_capped(&blob, MAX_MANIFEST)
        .map_err(|error| format!("the manifest `{}` can't be read: {error}", slashed(&blob)))?;
    let found = Digest::of(digest.algorithm(), &content);
    if found == digest {
        Ok(digest)
    } else {
        Err(format!("the blob of {digest} hashes to {found}"))
    }
}

fn blob(layout: &Path, digest: &Digest) -> PathBuf {
    layout.join("blobs").join(digest.algorithm().name()).join(digest.hex())
}

fn read_capped(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut content)?;
    if content.len() as u64 > limit {
        return Err(io::Error::other(format!("larger than {} MiB", limit >> 20)));
    }
    Ok(content)
}

fn unusable(path: &Path, reason: &str) -> Diagnostic {
    Diagnostic::error(Failure::Usage, format!("the image layout can't be used: {reason}"))
        .of(RuleId::Layout)
        .location(Location::File(shown(path)))
        .help(if path.exists() {"write it again with `skopeo copy … oci:DIR:NAME`, `crane pull --format=oci --annotate-ref` or `oras cp --to-oci-layout`" } else { "check the path" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Algorithm;
    use std::fs;

    /// A layout whose index has these annotations, each for a manifest of its own.
    fn layout(folder: &Path, entries: &[&[(&str, &str)]]) {
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).expect("a temporary folder is writable");
        fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)
            .expect("writable");
        let manifests: Vec<_> = entries
            .iter()
            .enumerate()
            .map(|(n, annotations)| {
                let digest = digest(n);
                fs::write(blobs.join(digest.hex()), n.to_string()).expect("writable");
                serde_json::json!({
                    "mediaType": "application/vnd.oci.image.index.v1+json",
                    "digest": digest.to_string(),
                    "size": 1,
                    "annotations": annotations.iter().copied().collect::<BTreeMap<_, _>>(),
                })
            })
            .collect();
        let index = serde_json::json!({"schemaVersion": 2, "manifests": manifests});
        fs::write(folder.join("index.json"), index.to_string()).expect("writable");
    }

    fn digest(n: usize) -> Digest {
        Digest::of(Algorithm::Sha256, n.to_string().as_bytes())
    }

    fn find(layouts: &Layouts, text: &str) -> Lookup {
        layouts.find(&tagged(text).expect("a tag"))
    }

    #[test]
    fn names_are_understood_as_each_tool_writes_them() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        layout(
            folder.path(),
            &[
                &[(REF_NAME, "docker.io/library/redis:7")],
                &[(CONTAINERD_NAME, "docker.io/library/nginx:1"), (REF_NAME, "1")],
                &[(REF_NAME, "1.0")],
                &[(REF_NAME, "acme/web:1")],
                &[(REF_NAME, "shop:1")],
                &[(REF_NAME, "quay.io/a/b")],
                &[],
            ],
        );
        let layouts = Layouts::read(&[folder.path().to_owned()]).expect("valid");
        assert_eq!(find(&layouts, "redis:7"), Lookup::Found(digest(0)));
        assert_eq!(find(&layouts, "nginx:1"), Lookup::Found(digest(1)));
        assert_eq!(find(&layouts, "quay.io/a/b:latest"), Lookup::Found(digest(5)));
        assert_eq!(find(&layouts, "redis:8"), Lookup::NoSuchTag);
        for image in ["busybox:1.0", "acme/web:1", "shop:1"] {
            assert_eq!(find(&layouts, image), Lookup::NoSuchRepository, "{image}");
        }
    }

    #[test]
    fn a_tree_of_layouts_says_the_repository_of_bare_tags() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        layout(&folder.path().join("quay.io/acme/web"), &[&[(REF_NAME, "1.4")]]);
        layout(&folder.path().join("docker.io/library/nginx"), &[&[(REF_NAME, "1")]]);
        layout(&folder.path().join("redis"), &[&[(REF_NAME, "7")]]);
        let layouts = Layouts::read(&[folder.path().to_owned()]).expect("valid");
        assert_eq!(find(&layouts, "quay.io/acme/web:1.4"), Lookup::Found(digest(0)));
        assert_eq!(find(&layouts, "nginx:1"), Lookup::Found(digest(0)));
        assert_eq!(find(&layouts, "redis:7"), Lookup::NoSuchRepository);
    }

    #[test]
    fn a_layout_that_lies_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let message = |folder: &Path| {
            let errors = Layouts::read(&[folder.to_owned()]).expect_err("refused");
            errors[0].message.clone()
        };
        assert!(
            message(folder.path()).ends_with("no OCI image layout in it (no file `oci-layout`)")
        );
        layout(folder.path(), &[&[(REF_NAME, "q.io/b:1")], &[(REF_NAME, "q.io/b:1")]]);
        assert!(message(folder.path()).contains("`q.io/b:1` is sha256:"));
        layout(folder.path(), &[&[(REF_NAME, "q.io/b:1")]]);
        let blob = folder.path().join("blobs/sha256").join(digest(0).hex());
        fs::write(&blob, "other").expect("writable");
        assert!(message(folder.path()).contains("hashes to sha256:"));
        fs::remove_file(&blob).expect("there");
        assert!(message(folder.path()).contains("can't be read"));
        fs::write(folder.path().join("index.json"), "{").expect("writable");
        assert!(message(folder.path()).starts_with("the image layout can't be used: EOF"));
    }
}
