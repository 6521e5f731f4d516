//! The images of the quick start's layout.

/// Images of the quick start's layout as manifests name them, and the digests that they are pinned
/// to.
pub const IMAGES: [(&str, &str); 3] = [
    (
        "nginx:1.29.1",
        "nginx:1.29.1@sha256:26189d38b21c3f60e226a91c4fefb63e79893bdcd2ad109502b00ec8c90d54ac",
    ),
    (
        "busybox:1.37",
        "busybox:1.37@sha256:0997ec8cf1c11d04e944c0f9e82cd50cbc8c88d92c548742124a6ca6c13c3a00",
    ),
    (
        "docker.io/clastix/kubectl:v1.32",
        "docker.io/clastix/kubectl:v1.31@sha256:543b04ba1ce032f43d289980697c4f5e43677d27f93dfd8dc075672e33e2e3fe",
    ),
];

/// A text with the images of the layout pinned.
pub fn pinned(text: &str) -> String {
    IMAGES.iter().fold(text.to_owned(), |text, (image, pin)| text.replace(image, pin))
}
