//! A real nginx with its default limits as a reverse proxy of the real registry, a usual setup in
//! companies. A token for many repositories is longer than the limit for a header.

#![cfg(unix)]

mod support;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use support::distribution::RealRegistry;
use support::registry::{Content, Registry, TokenRules};
use support::{clients, command, finish, start};

/// The path of Debian's package.
const NGINX: &str = "/usr/sbin/nginx";

/// The number of repositories in one run.
const REPOSITORIES: usize = 100;

/// An nginx that requires a token and forwards requests.
struct Nginx {
    folder: tempfile::TempDir,
    http: u16,
    https: u16,
}

impl Nginx {
    /// Starts nginx for a registry; another server issues the tokens.
    fn start(registry: &RealRegistry, tokens: &Registry) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let own = folder.path().display();
        // The ports are free now, and no other process gets them.
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let [http, https] =
            listeners.each_ref().map(|own| own.local_addr().expect("it is bound").port());
        drop(listeners);
        let ca_file = registry.ca_file();
        let certificates = Path::new(&ca_file).parent().expect("it is in a folder").display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {own}/{kind};\n"))
            .concat();
        let challenge =
            "Bearer realm=\"$scheme://127.0.0.1:$server_port/token\",service=\"registry\"";
        let config = format!(
            "pid {own}/pid;\nerror_log {own}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\
             server {{\n\
             listen 127.0.0.1:{http};\nlisten 127.0.0.1:{https} ssl http2;\n\
             ssl_certificate {certificates}/cert.pem;\nssl_certificate_key {certificates}/key.pem;\n\
             add_header Docker-Distribution-Api-Version registry/2.0 always;\n\
             location = /token {{ proxy_pass {}; }}\n\
             location ~ ^/v2/(?<name>.+)/(manifests|tags)/ {{\n\
             if ($http_authorization = \"\") {{\n\
             add_header WWW-Authenticate '{challenge},scope=\"repository:$name:pull\"' always;\n\
             return 401;\n}}\n\
             proxy_pass https://{};\nproxy_ssl_verify off;\nproxy_set_header Authorization \"\";\n\
             }}\n}}\n}}\n",
            tokens.url(),
            registry.address.replace("localhost", "127.0.0.1")
        );
        fs::write(folder.path().join("nginx.conf"), config).expect("writable");
        let nginx = Self { folder, http, https };
        // It goes to the background as soon as it listens.
        nginx.command(&[]);
        nginx
    }

    fn command(&self, arguments: &[&str]) {
        let ran = Command::new(NGINX)
            .arg("-c")
            .arg(self.folder.path().join("nginx.conf"))
            .args(arguments)
            .output()
            .expect("it is installed");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.command(&["-s", "stop"]);
    }
}

#[test]
fn a_hundred_repositories_pass_through_an_nginx_with_default_limits() {
    let Some(clients) = clients() else { return };
    if !Path::new(NGINX).exists() {
        eprintln!("\nSKIPPED: {NGINX} is not installed (apt-get install nginx-light)\n");
        return;
    }
    let registry = RealRegistry::start(clients);
    let names: Vec<_> = (0..REPOSITORIES).map(|n| format!("team/app-{n:03}:1")).collect();
    let digests = registry.fill(&names.iter().map(String::as_str).collect::<Vec<_>>());
    // The tokens are as long as Harbor's. With all repositories, a token has twice the length that
    // nginx accepts.
    let rules = TokenRules { bytes_per_scope: 150, ..TokenRules::default() };
    let tokens = Registry::start(Content::everything().with_tokens(rules));
    let nginx = Nginx::start(&registry, &tokens);

    let pod = |image: &String| {
        format!("---\nkind: Pod\nspec: {{containers: [{{image: 'registry.example/{image}'}}]}}\n")
    };
    let manifests: String = names.iter().map(pod).collect();
    let pinned = |image: &String| pod(&format!("{image}@{}", digests[image]));
    let expected: String = names.iter().map(pinned).collect();
    for url in
        [format!("http://127.0.0.1:{}", nginx.http), format!("https://127.0.0.1:{}", nginx.https)]
    {
        let before = tokens.requests_to("token");
        let mut command = command([format!("--registry=*={url}")]);
        command.arg("--ca-file").arg(registry.ca_file());
        let ran = finish(start(&mut command), manifests.as_bytes());
        assert_eq!(ran.succeeded(), expected, "{url}");
        // The first token is too long, so tokens for halves of the repositories are tried.
        let asked = tokens.requests_to("token") - before;
        assert!((2..=20).contains(&asked), "{url}: {asked} tokens");
    }
    // The limit is nginx's own: it refuses one token for all repositories.
    let long = "x".repeat(9_000);
    let refused = Command::new("curl")
        .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "-H"])
        .arg(format!("Authorization: Bearer {long}"))
        .arg(format!("http://127.0.0.1:{}/v2/team/app-000/manifests/1", nginx.http))
        .output();
    if let Ok(refused) = refused {
        assert_eq!(String::from_utf8_lossy(&refused.stdout), "400");
    }
}
