//! Lists of images for other tools: `images --format refs|imgpkg|regsync|cyclonedx`.

mod support;

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use support::distribution::RealRegistry;
use support::{clients, digestif, testdata};

const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn pods(images: &[&str]) -> String {
    let pod =
        |image: &&str| format!("---\nkind: Pod\nspec: {{containers: [{{image: '{image}'}}]}}\n");
    images.iter().map(pod).collect()
}

/// A list of two images, with a tag and without one. The first is written twice.
fn listed(format: &str) -> String {
    let web = format!("nginx:1.29.1@{A}");
    let own = format!("localhost:5000/team/api@{B}");
    let manifests = pods(&[&web, &own, &web]);
    digestif(["images", "--format", format], manifests).succeeded()
}

#[test]
fn each_format_has_each_image_once() {
    let (nginx, api) = ("docker.io/library/nginx", "localhost:5000/team/api");
    assert_eq!(listed("refs"), format!("{nginx}@{A}\n{api}@{B}\n"));
    assert_eq!(
        listed("imgpkg"),
        format!(
            "---\napiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\nimages:\n\
             - image: {nginx}@{A}\n  annotations:\n    kbld.carvel.dev/id: '{nginx}:1.29.1@{A}'\n\
             - image: {api}@{B}\n  annotations:\n    kbld.carvel.dev/id: '{api}@{B}'\n"
        )
    );
    assert_eq!(
        listed("regsync"),
        format!(
            "# Copies these images: MIRROR=registry.example.com/mirror regsync once -c FILE\n\
             version: 1\nsync:\n\
             - source: {nginx}@{A}\n  target: '{{{{ env \"MIRROR\" }}}}/{nginx}:1.29.1'\n  type: image\n\
             - source: {api}@{B}\n  target: '{{{{ env \"MIRROR\" }}}}/localhost-5000/team/api@{B}'\n  type: image\n"
        )
    );
    let bill: Value = serde_json::from_str(&listed("cyclonedx")).expect("JSON");
    let purl = format!("pkg:oci/nginx@sha256%3A{}?repository_url={nginx}&tag=1.29.1", &A[7..]);
    assert_eq!(
        bill["components"][0],
        json!({
            "type": "container", "bom-ref": purl, "purl": purl, "name": nginx, "version": "1.29.1",
            "hashes": [{"alg": "SHA-256", "content": &A[7..]}],
        })
    );
    assert_valid_bill(&bill);
    let purl = bill["components"][1]["purl"].as_str().expect("a text");
    assert!(purl.ends_with("?repository_url=localhost%3A5000/team/api"), "{purl}");
}

#[test]
fn an_image_without_a_digest_is_taken_from_the_lock_or_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lock = folder.path().join("images.lock.yaml");
    let text = format!(
        "apiVersion: digestif.dev/v1alpha1\nkind: ImageLock\nimages:\n- image: docker.io/library/nginx:1.29.1\n  tag: '1.29.1'\n  digest: {A}\n"
    );
    fs::write(&lock, text).expect("writable");
    let lock = format!("--lock={}", lock.display());
    let manifests = pods(&["nginx:1.29.1"]);
    let locked = digestif(["images", "--format=refs", &lock], &manifests).succeeded();
    assert_eq!(locked, format!("docker.io/library/nginx@{A}\n"));
    let tagged = digestif(["images", "--format=refs"], &manifests).succeeded();
    assert_eq!(tagged, "docker.io/library/nginx:1.29.1\n");
    for format in ["imgpkg", "regsync", "cyclonedx"] {
        let ran = digestif(["images", "--format", format, &lock], &manifests);
        assert!(ran.succeeded().contains("nginx"), "{format}");
        let refused = digestif(["images", "--format", format], pods(&["nginx:1.29.1", "${IMAGE}"]));
        assert_eq!((refused.status, &*refused.stdout), (5, ""), "{}", refused.stderr);
        for image in ["docker.io/library/nginx:1.29.1", "${IMAGE}"] {
            let words = format!("`{image}` has no digest");
            assert!(refused.stderr.contains(&words), "{}", refused.stderr);
        }
        let empty = digestif(["images", "--format", format, "--allow-empty"], "").succeeded();
        if format == "cyclonedx" {
            assert_valid_bill(&serde_json::from_str(&empty).expect("JSON"));
        }
        assert!(!empty.contains("image:"), "{empty}");
    }
}

#[test]
fn the_real_regsync_copies_the_images_of_the_list() {
    let Some(clients) = clients() else { return };
    let regsync = clients.join("regsync");
    if !regsync.exists() {
        eprintln!("\nSKIPPED: regsync is not among the clients; run scripts/clients\n");
        return;
    }
    let registry = RealRegistry::start(clients);
    let digest = &registry.fill(&["team/web:1"])["team/web:1"];
    let image = format!("{}/team/web:1@{digest}", registry.address);
    let list = digestif(["images", "--format=regsync"], pods(&[&image])).succeeded();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("regsync.yaml");
    fs::write(&file, list).expect("writable");
    let mirror = format!("{}/mirror", registry.address);
    let ran = Command::new(regsync)
        .arg("once")
        .arg("-c")
        .arg(&file)
        .env("MIRROR", &mirror)
        .env("SSL_CERT_FILE", registry.ca_file())
        .env("HOME", folder.path())
        .output()
        .expect("it runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let host = registry.address.replace(':', "-");
    let copied = registry.crane(&["digest", &format!("{mirror}/{host}/team/web:1")]);
    assert_eq!(copied, *digest);
}

/// Loads the schemas that a schema refers to, from a folder with all of them.
struct Schemas;

impl jsonschema::Retrieve for Schemas {
    fn retrieve(
        &self,
        uri: &jsonschema::Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let name = uri.path().as_str().rsplit('/').next().unwrap_or_default();
        Ok(schema(name))
    }
}

fn schema(name: &str) -> Value {
    let text = fs::read_to_string(testdata(&format!("cyclonedx/{name}"))).expect(name);
    serde_json::from_str(&text).expect("JSON")
}

/// Validates a bill of materials with the schema of `CycloneDX` 1.6.
#[track_caller]
fn assert_valid_bill(bill: &Value) {
    let options = jsonschema::options().with_retriever(Schemas);
    let validator = options.build(&schema("bom-1.6.SNAPSHOT.schema.json")).expect("a schema");
    let errors: Vec<_> = validator.iter_errors(bill).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}\n{bill}");
    let mut wrong = bill.clone();
    wrong["components"] = json!([{ "type": "image", "name": "nginx" }]);
    assert!(!validator.is_valid(&wrong), "the schema is obeyed");
}
