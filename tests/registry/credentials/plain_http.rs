//! Plain http: no login is sent in plain text unless the caller or the user's file names the host.
//!
//! The listener is the HTTP proxy of each run, so that it hears what is sent to `registry.example` in
//! plain text. What is sent over TLS goes through another proxy to another registry.

use std::process::Command;

use serde_json::{Value, json};

use super::{Machine, auths, basic, helpers, tokens};
use crate::support::accounts::{Account, auth, base64, password, telling};
use crate::support::proxy::Proxy;
use crate::support::registry::{Content, Fault, Misbehaviour, Registry, TokenRules};
use crate::support::{finish, start};
use crate::{WEB, pods};

const HEAD: &str = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\n";

/// Everything that a run can find out in plain text.
struct Listener {
    machine: Machine,
    /// A pull secret, if the login is in the stream.
    secret: String,
}

/// Every source of a login for `registry.example`.
fn listeners() -> Vec<Listener> {
    let accounts = [Account::user("ann"), Account::identity("ann"), Account::bearer("ann")];
    let file = |entry: Value| {
        let file = json!({ "auths": { "registry.example": entry } });
        Machine::with_docker(tokens(&accounts), &file)
    };
    let store = json!({ "credsStore": "x" });
    let helper = helpers::machine(tokens(&accounts), &[("x", &helpers::knows("ann"))], &store);
    let config = base64(auths(&[("registry.example", "ann")]).to_string());
    let secret = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: pull}}\ntype: kubernetes.io/dockerconfigjson\ndata: {{.dockerconfigjson: {config}}}\n"
    );
    let of_file = [
        json!({ "auth": auth("ann") }),
        json!({ "identitytoken": password("ann") }),
        json!({ "registrytoken": password("ann") }),
    ];
    let machines = of_file.into_iter().map(file).chain([helper]);
    let listeners = machines.map(|machine| Listener { machine, secret: String::new() });
    let of_stream = Listener { machine: Machine::new(tokens(&accounts)), secret };
    listeners.chain([of_stream]).collect()
}

impl Listener {
    /// A run that trusts this registry, which answers over TLS, and names no host for plain http.
    fn command(&self, tls: &Registry, proxy: &Proxy, flags: &[&str]) -> Command {
        self.machine.write("ca.pem", tls.ca_pem());
        let flags = [&["--ca-file=~/ca.pem"], flags].concat();
        let mut command = self.machine.command(&flags, &[]);
        command.env_remove("DIGESTIF_PLAIN_HTTP");
        command.env("HTTPS_PROXY", format!("http://{}", proxy.address()));
        command.current_dir(self.machine.home.path());
        command
    }

    fn run(&self, command: &mut Command, image: &str) -> i32 {
        let stream = self.secret.clone() + &pods([image]);
        finish(start(command), stream.as_bytes()).status
    }

    /// True if a login, or anything that may be one, was sent in plain text.
    fn heard_a_login(&self) -> bool {
        let requests = self.machine.registry().requests();
        requests.iter().any(|request| request.authorization.is_some())
            || telling(&format!("{requests:?}")).next().is_some()
    }
}

/// A registry over TLS, and the proxy that leads to it.
fn over_tls(content: Content) -> (Registry, Proxy) {
    let tls = Registry::start_tls(content);
    let proxy = Proxy::start(&[("registry.example:443", &tls)]);
    (tls, proxy)
}

#[test]
fn no_host_that_nobody_names_gets_a_login_in_plain_text() {
    let accounts = [Account::user("ann"), Account::identity("ann"), Account::bearer("ann")];
    let path = "http://registry.example/v2/acme/web/manifests/1";
    let redirect = || Fault::on("acme/web", Misbehaviour::RedirectTo(path.to_owned()));
    let realm = || Some("http://registry.example/token".to_owned());
    let rules =
        || TokenRules { accounts: accounts.to_vec(), realm: realm(), ..TokenRules::default() };
    let contents: [(&str, &dyn Fn() -> Content); 3] = [
        ("a redirect", &|| Content::everything().with_fault(redirect())),
        ("a redirect of a login", &|| basic(&accounts).with_fault(redirect())),
        ("a realm", &|| Content::everything().with_tokens(rules())),
    ];
    for (name, content) in contents {
        for listener in listeners() {
            let (tls, proxy) = over_tls(content());
            listener.run(&mut listener.command(&tls, &proxy, &[]), WEB);
            assert!(!tls.requests().is_empty(), "{name}");
            assert!(!listener.heard_a_login(), "{name}");
        }
    }
    // Nothing answers over TLS.
    let (tls, _) = over_tls(Content::everything());
    let nowhere = Proxy::start(&[]);
    for image in [WEB, "registry.example:80/acme/web:1", "registry.example:443/acme/web:1"] {
        for listener in listeners() {
            let status = listener.run(&mut listener.command(&tls, &nowhere, &[]), image);
            assert_eq!(status, 4, "{image}");
            assert!(listener.machine.registry().requests().is_empty(), "{image}");
        }
    }
}

#[test]
fn neither_a_checkout_nor_manifests_name_a_host_for_plain_http() {
    let (tls, proxy) = over_tls(Content::everything());
    for registries in [
        "{host: registry.example, plainHttp: true}",
        "{host: registry.example, url: 'http://registry.example'}",
        "{host: registry.example, url: 'HTTP:\\\\registry.example'}",
        "{host: registry.example, mirrors: ['https://registry.example', 'http://registry.example']}",
        "{host: '*', url: 'http://{host}/'}",
    ] {
        let config = format!("{HEAD}registries: [{registries}]\n");
        let list = format!(
            "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig: {{apiVersion: digestif.dev/v1alpha1, kind: PinImages, registries: [{registries}]}}\nitems:\n- {{kind: Pod, spec: {{containers: [{{image: '{WEB}'}}]}}}}\n"
        );
        for listener in listeners() {
            listener.machine.write("digestif.yaml", &config);
            let mut command = listener.command(&tls, &proxy, &[]);
            assert_eq!(listener.run(&mut command, WEB), 2, "{registries}");
            let mut command = listener.command(&tls, &proxy, &["--no-config"]);
            assert_eq!(listener.run(&mut command, WEB), 0, "{registries}");
            std::fs::remove_file(listener.machine.path("digestif.yaml")).expect("ours");
            let mut command = listener.command(&tls, &proxy, &[]);
            let ran = finish(start(&mut command), list.as_bytes());
            assert_eq!(ran.status, 2, "{registries}: {}", ran.stderr);
            assert!(listener.machine.registry().requests().is_empty(), "{registries}");
        }
    }
}

#[test]
fn the_caller_and_the_user_name_hosts_for_plain_http() {
    let (tls, proxy) = over_tls(Content::everything());
    let plain = "registries: [{host: registry.example, plainHttp: true}]";
    let url = "registries: [{host: registry.example, url: 'http://registry.example'}]";
    let user = ".config/digestif/config.yaml";
    for (variable, flags, file) in [
        (None, &["--plain-http=registry.example"][..], None),
        (Some("registry.example"), &[], None),
        (None, &["--registry=registry.example=http://registry.example"], None),
        (None, &["-c", "~/own.yaml"], Some(("own.yaml", plain))),
        (None, &["-c", "~/own.yaml"], Some(("own.yaml", url))),
        (None, &[], Some((user, plain))),
        (None, &[], Some((user, url))),
    ] {
        for listener in listeners() {
            if let Some((name, text)) = file {
                listener.machine.write(name, format!("{HEAD}{text}\n"));
            }
            let mut command = listener.command(&tls, &proxy, flags);
            command.envs(variable.map(|host| ("DIGESTIF_PLAIN_HTTP", host)));
            assert_eq!(listener.run(&mut command, WEB), 0, "{flags:?} {file:?}");
            assert!(listener.heard_a_login(), "{flags:?} {file:?}");
        }
    }
    let listener = listeners().swap_remove(0);
    listener.machine.write(user, format!("{HEAD}{plain}\n"));
    listener.run(&mut listener.command(&tls, &proxy, &["--no-config"]), WEB);
    assert!(listener.machine.registry().requests().is_empty());
}
