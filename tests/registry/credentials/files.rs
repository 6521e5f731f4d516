//! Auth files: where they are, what is in them, and which login is the first.

use std::fs;
use std::time::Duration;

use serde_json::json;

use super::{Machine, asked_as, auths, basic, count, pinned, tokens, tokens_with};
use crate::support::accounts::{Account, SECRET, auth, base64, password};
use crate::support::registry::{
    Content, Fault, Misbehaviour, Registry, TokenRules, bearer, digest_of,
};
use crate::support::{finish, start};
use crate::{WEB, pods};

#[test]
fn a_login_is_found_wherever_tools_write_it() {
    for (file, flags, variables) in [
        ("named.json", &["--auth-file=~/named.json"][..], &[][..]),
        ("named.json", &[], &[("DIGESTIF_AUTH_FILE", "~/named.json")]),
        ("named.json", &[], &[("REGISTRY_AUTH_FILE", "~/named.json")]),
        ("run/containers/auth.json", &[], &[("XDG_RUNTIME_DIR", "~/run")]),
        ("conf/containers/auth.json", &[], &[("XDG_CONFIG_HOME", "~/conf")]),
        (".config/containers/auth.json", &[], &[("XDG_CONFIG_HOME", ""), ("DOCKER_CONFIG", "")]),
        ("docker/config.json", &[], &[("DOCKER_CONFIG", "~/docker")]),
        (".docker/config.json", &[], &[("REGISTRY_AUTH_FILE", ""), ("XDG_RUNTIME_DIR", "")]),
    ] {
        let machine = Machine::new(basic(&[Account::user("ann")]));
        machine.write(file, auths(&[("registry.example", "ann")]).to_string());
        let mut command = machine.command(flags, variables);
        let ran = finish(start(&mut command), pods([WEB]).as_bytes());
        assert_eq!(ran.succeeded(), pinned([WEB]), "{file}");
        assert_eq!(machine.asked_as(), ["nobody", "ann"], "{file}");
    }
}

#[test]
fn files_are_asked_in_the_order_that_the_readme_has() {
    let machine = Machine::new(basic(&[]));
    for (file, user) in [
        ("flag.json", "flag"),
        ("digestif.json", "digestif"),
        ("registry.json", "registry"),
        ("run/containers/auth.json", "runtime"),
        ("conf/containers/auth.json", "config"),
        (".config/containers/auth.json", "config-at-home"),
        ("docker/config.json", "docker"),
        (".docker/config.json", "docker-at-home"),
    ] {
        machine.write(file, auths(&[("registry.example", user)]).to_string());
    }
    let variables = [
        ("XDG_RUNTIME_DIR", "~/run"),
        ("DIGESTIF_AUTH_FILE", "~/digestif.json"),
        ("REGISTRY_AUTH_FILE", "~/registry.json"),
        ("XDG_CONFIG_HOME", "~/conf"),
        ("DOCKER_CONFIG", "~/docker"),
    ];
    let no_digestif = [&variables[..1], &variables[2..]].concat();
    for (flags, variables, expected) in [
        (
            &["--auth-file=~/flag.json"][..],
            &variables[..],
            &["flag", "runtime", "config", "docker"][..],
        ),
        (&[], &variables, &["digestif", "runtime", "config", "docker"]),
        (&[], &no_digestif, &["registry", "runtime", "config", "docker"]),
        (&[], &variables[..1], &["runtime", "config-at-home", "docker-at-home"]),
        (&[], &[], &["config-at-home", "docker-at-home"]),
    ] {
        let before = machine.asked_as().len();
        let mut command = machine.command(flags, variables);
        finish(start(&mut command), pods([WEB]).as_bytes()).failed(6);
        let asked = machine.asked_as();
        let (first, last) = (&asked[before], &asked[asked.len() - 1]);
        assert_eq!((first.as_str(), last.as_str()), ("nobody", "nobody"));
        assert_eq!(asked[before + 1..asked.len() - 1], *expected);
    }
}

#[test]
fn one_file_that_is_named_twice_is_read_once() {
    let machine = Machine::with_docker(basic(&[]), &auths(&[("registry.example", "ann")]));
    machine.run(&["--auth-file=~/.docker/config.json"], &pods([WEB])).failed(6);
    assert_eq!(machine.asked_as(), ["nobody", "ann", "nobody"]);
}

#[test]
fn a_file_that_is_named_has_to_be_there() {
    let machine = Machine::new(Content::everything());
    for (flags, variables) in [
        (&["--auth-file=~/none.json"][..], &[][..]),
        (&[], &[("DIGESTIF_AUTH_FILE", "~/none.json")]),
        (&[], &[("REGISTRY_AUTH_FILE", "~/none.json")]),
    ] {
        let mut command = machine.command(flags, variables);
        let said = finish(start(&mut command), pods([WEB]).as_bytes()).failed(2);
        let expected = format!(
            "error: the auth file can't be used: there is no such file\n--> {}\n = help: ",
            machine.path("none.json").display()
        );
        assert!(said.starts_with(&expected), "{said}");
    }
    assert_eq!(machine.registry.connections(), 0);
    // A default one has not, nor the folder that a variable names.
    let variables = [
        ("XDG_RUNTIME_DIR", "~/none"),
        ("XDG_CONFIG_HOME", "~/none"),
        ("DOCKER_CONFIG", "/dev/null"),
    ];
    let mut command = machine.command(&[], &variables);
    finish(start(&mut command), pods([WEB]).as_bytes()).succeeded();
}

#[test]
fn a_file_that_makes_no_sense_is_named_and_not_shown() {
    let entry =
        |entry: serde_json::Value| json!({ "auths": { "quay.example": entry } }).to_string();
    let secret = password("ann");
    let of_entry = "the entry for `quay.example` has no readable login";
    for (name, text, reason) in [
        ("no JSON", format!("{secret}: {secret}"), "line 1, column 1: it is not an auth file"),
        (
            "cut off",
            entry(json!({ "password": secret })).replace('}', ""),
            "it is not an auth file",
        ),
        ("a list", json!([secret]).to_string(), "it is not an auth file"),
        ("a text for an entry", entry(json!(secret)), "it is not an auth file"),
        ("a list for a login", entry(json!({ "auth": [secret] })), "it is not an auth file"),
        ("a text for all", json!({ "auths": secret }).to_string(), "it is not an auth file"),
        ("no base64", entry(json!({ "auth": format!("ann:{secret}") })), of_entry),
        ("no user", entry(json!({ "auth": base64(&secret) })), of_entry),
        (
            "no text",
            entry(json!({ "auth": base64([b"a:\xff", secret.as_bytes()].concat()) })),
            of_entry,
        ),
        ("two lines", entry(json!({ "registrytoken": format!("{secret}\n{secret}") })), of_entry),
        (
            "a login in the key",
            json!({ "auths": { format!("https://ann:{secret}@quay.example"): { "auth": "?" } } })
                .to_string(),
            of_entry,
        ),
        (
            "an entry twice",
            format!(
                r#"{{"auths": {{"a.io": {{"auth": "{0}"}}, "a.io": {{"auth": "{0}"}}}}}}"#,
                auth("ann")
            ),
            "it is not an auth file",
        ),
        (
            "a helper twice",
            r#"{"credHelpers": {"a.io": "x", "a.io": "y"}}"#.to_owned(),
            "it is not an auth file",
        ),
        ("all twice", r#"{"auths": {}, "auths": {}}"#.to_owned(), "it is not an auth file"),
        (
            "10 MB",
            format!("{{\"a\": \"{}\"}}", secret.repeat(500_000)),
            "it is larger than 1024 KiB",
        ),
    ] {
        for named in [true, false] {
            let machine = Machine::new(Content::everything());
            let file = if named { "auth.json" } else { ".docker/config.json" };
            machine.write(file, &text);
            let flags = if named { &["--auth-file=~/auth.json"][..] } else { &[] };
            let said = machine.run(flags, &pods([WEB])).failed(2);
            let first = said.lines().next().unwrap_or_default();
            assert!(first.starts_with("error: the auth file can't be used: "), "{name}: {said}");
            assert!(first.ends_with(reason), "{name}: {said}");
            assert!(said.contains(&machine.path(file).display().to_string()), "{name}: {said}");
            assert_eq!(machine.registry.connections(), 0, "{name}");
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let machine = Machine::new(Content::everything());
    fs::create_dir_all(machine.path(".docker/config.json")).expect("writable");
    let said = machine.run(&[], &pods([WEB])).failed(2);
    assert!(said.starts_with("error: the auth file can't be used: Is a directory"), "{said}");
    assert!(said.contains("/.docker/config.json\n"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_file_of_another_user_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let machine = Machine::with_docker(Content::everything(), &json!({}));
    let file = machine.path(".docker/config.json");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).expect("it is ours");
    // Nothing is closed to root.
    if fs::read(&file).is_err() {
        let said = machine.run(&[], &pods([WEB])).failed(2);
        assert!(
            said.starts_with("error: the auth file can't be used: Permission denied"),
            "{said}"
        );
    }
}

#[test]
fn what_says_nothing_is_no_login() {
    let entries = json!({
        "registry.example": {},
        "https://registry.example": { "auth": "" },
        "https://registry.example/v1/": { "auth": null, "identitytoken": "", "registrytoken": "" },
        "https://registry.example/v2/": { "username": "", "password": "" },
        "http://registry.example": { "username": "ann" },
        "other.example": { "auth": auth("other") },
    });
    let file = json!({
        "auths": entries,
        "credHelpers": { "registry.example": "" },
        "credsStore": "",
        "HttpHeaders": { "User-Agent": "Docker-Client" },
    });
    for file in [file, json!({}), json!({ "auths": null, "credHelpers": null, "credsStore": null })]
    {
        let machine = Machine::with_docker(basic(&[]), &file);
        let said = machine.run(&[], &pods([WEB])).failed(6);
        assert!(!said.contains("login for"), "{said}");
        assert_eq!(machine.asked_as(), ["nobody"]);
    }
}

#[test]
fn passwords_are_written_in_many_ways() {
    let pair = format!("anna:{}", password("anna"));
    let unpadded = base64(&pair);
    let unpadded = unpadded.trim_end_matches('=');
    assert_ne!(unpadded, base64(&pair), "this one has padding to lose");
    for (name, entry) in [
        ("auth", json!({ "auth": auth("anna") })),
        ("NUL bytes behind", json!({ "auth": base64(format!("{pair}\0\0")) })),
        ("a line break behind", json!({ "auth": format!("{}\n", auth("anna")) })),
        ("no padding", json!({ "auth": unpadded })),
        ("two fields", json!({ "username": "anna", "password": password("anna") })),
        ("all three", json!({ "auth": auth("anna"), "username": "bob", "password": "old" })),
        ("no tokens", json!({ "auth": auth("anna"), "identitytoken": "", "registrytoken": "" })),
    ] {
        for content in [basic(&[Account::user("anna")]), tokens(&[Account::user("anna")])] {
            let file = json!({ "auths": { "registry.example": entry } });
            let machine = Machine::with_docker(content, &file);
            let ran = machine.run(&[], &pods([WEB]));
            assert_eq!((ran.status, &ran.stdout), (0, &pinned([WEB])), "{name}: {}", ran.stderr);
            assert_eq!(machine.asked_as()[1], "anna", "{name}");
        }
    }
}

#[test]
fn keys_are_written_in_many_ways() {
    for (key, image) in [
        ("registry.example", WEB),
        ("registry.example/", WEB),
        ("Registry.Example", WEB),
        ("https://registry.example", WEB),
        ("http://registry.example/", WEB),
        ("https://registry.example/v1/", WEB),
        ("https://registry.example/v2/", WEB),
        ("registry.example/v2", WEB),
        ("registry.example/acme", WEB),
        ("https://registry.example/acme/web/", WEB),
        ("https://index.docker.io/v1/", "nginx:1"),
        ("index.docker.io/v1/", "docker.io/library/nginx:1"),
        ("docker.io", "nginx:1"),
        ("index.docker.io", "nginx:1"),
        ("registry-1.docker.io", "index.docker.io/acme/web:1"),
        ("docker.io/library", "nginx:1"),
    ] {
        let content = basic(&[Account::user("ann")]);
        let machine = Machine::with_docker(content, &auths(&[(key, "ann")]));
        let stdout = machine.run(&[], &pods([image])).succeeded();
        assert_eq!(stdout, pinned([image]), "{key}");
        assert_eq!(machine.asked_as(), ["nobody", "ann"], "{key}");
    }
}

#[test]
fn a_login_goes_nowhere_but_to_what_its_key_names() {
    for (key, image) in [
        ("registry.example:5000", WEB),
        ("example", WEB),
        ("y.example", WEB),
        ("registry.example.other", WEB),
        ("*.example", "registry.example.other/a:1"),
        ("registry.example/ac", WEB),
        ("registry.example/acme/web/api", WEB),
        ("registry.example/v2/acme", WEB),
        ("registry.example/web", WEB),
        ("docker.io", WEB),
        ("docker.io/nginx", "nginx:1"),
        ("", WEB),
        ("/", WEB),
        ("https://", WEB),
    ] {
        let content = basic(&[Account::user("ann")]);
        let machine = Machine::with_docker(content, &auths(&[(key, "ann")]));
        machine.run(&[], &pods([image])).failed(6);
        assert_eq!(machine.asked_as(), ["nobody"], "{key}");
    }
}

#[test]
fn the_most_specific_path_is_the_first_whichever_file_has_it() {
    let machine = Machine::new(basic(&[]));
    machine.write("first.json", auths(&[("quay.example", "host")]).to_string());
    machine
        .write(".config/containers/auth.json", auths(&[("quay.example/org", "org")]).to_string());
    let docker = auths(&[("quay.example/org/app", "app"), ("quay.example", "host-of-docker")]);
    machine.write(".docker/config.json", docker.to_string());
    for (image, expected) in [
        ("quay.example/org/app:1", &["app", "org", "host", "host-of-docker"][..]),
        ("quay.example/org/app/api:1", &["app", "org", "host", "host-of-docker"]),
        ("quay.example/org/application:1", &["org", "host", "host-of-docker"]),
        ("quay.example/organisation/app:1", &["host", "host-of-docker"]),
    ] {
        let before = machine.asked_as().len();
        machine.run(&["--auth-file=~/first.json"], &pods([image])).failed(6);
        let asked = &machine.asked_as()[before..];
        assert_eq!(asked[1..asked.len() - 1], *expected, "{image}");
    }
}

#[test]
fn repositories_of_one_registry_have_logins_of_their_own() {
    let accounts = [("ann", "acme"), ("bob", "other")]
        .map(|(user, path)| Account::user(user).opening(&[path]));
    for content in [basic(&accounts), tokens(&accounts)] {
        let keys = [("registry.example/acme", "ann"), ("registry.example/other", "bob")];
        let machine = Machine::with_docker(content, &auths(&keys));
        let images = ["registry.example/acme/web:1", "registry.example/other/web:1"];
        let ran = machine.run(&[], &pods(images));
        assert_eq!(ran.succeeded(), pinned(images));
    }
}

#[test]
fn a_login_that_is_refused_makes_room_for_the_next() {
    let bob = || Account::user("bob");
    let closed = Account::user("ann").opening(&["another"]);
    let refusing = |refusal| TokenRules { refusal, ..TokenRules::default() };
    for (name, content) in [
        ("401 of the registry", basic(&[bob()])),
        ("403 of the registry", basic(&[closed.clone(), bob()])),
        ("401 of the token endpoint", tokens(&[bob()])),
        ("403 of the token endpoint", tokens_with(&[bob()], refusing(403))),
        ("a token that opens nothing", tokens(&[closed, bob()])),
    ] {
        let machine = Machine::with_docker(content, &auths(&[("registry.example", "bob")]));
        let first = auths(&[("registry.example", "ann")]);
        machine.write(".config/containers/auth.json", first.to_string());
        let said = machine.pin_web(&[]);
        let expected = format!(
            "warning: a login did not work: the login for registry.example from {} is refused\n",
            machine.path(".config/containers/auth.json").display()
        );
        assert!(said.starts_with(&expected), "{name}: {said}");
        let asked = machine.asked_as();
        let position = |user: &str| asked.iter().position(|asked| asked == user);
        assert!(
            position("ann").is_some() && position("ann") < position("bob"),
            "{name}: {asked:?}"
        );
    }
}

#[test]
fn a_stale_login_does_not_stand_in_the_way_of_what_anybody_may_read() {
    let refusing = |refusal| TokenRules { refusal, ..TokenRules::default() };
    let images: Vec<_> = (0..20).map(|n| format!("registry.example/acme/web:1.{n}")).collect();
    for (name, content) in [
        ("401 of the token endpoint", tokens(&[Account::nobody()])),
        ("403 of the token endpoint", tokens_with(&[Account::nobody()], refusing(403))),
        (
            "a token that opens nothing",
            tokens(&[Account::user("old").opening(&[]), Account::nobody()]),
        ),
    ] {
        let docker = auths(&[("registry.example", "old")]);
        let machine = Machine::with_docker(content, &docker);
        let ran = machine.run(&[], &pods(&images));
        assert_eq!((ran.status, &ran.stdout), (0, &pinned(&images)), "{name}: {}", ran.stderr);
        let expected = format!(
            "warning: a login did not work: the login for registry.example from {} is refused\n |\n \
             = help: log in again, or remove the login; the images were found without it\n\n",
            machine.path(".docker/config.json").display()
        );
        assert!(ran.stderr.starts_with(&expected), "{name}: {}", ran.stderr);
        assert_eq!(count(&ran.stderr, "warning"), 1 + 1, "{name}: {}", ran.stderr);
    }
}

#[test]
fn a_wrong_password_is_sent_once_however_many_wait() {
    let images: Vec<_> =
        (0..50).map(|n| format!("registry.example/acme/app-{}:{n}", n % 5)).collect();
    let slow = |accounts: &[Account]| basic(accounts).with_latency(Duration::from_millis(20));
    for (name, content, status, last) in [
        ("another is right", slow(&[Account::user("ann")]), 0, "ann"),
        ("none is right", slow(&[]), 6, "nobody"),
    ] {
        let machine = Machine::with_docker(content, &auths(&[("registry.example", "ann")]));
        let old = auths(&[("registry.example", "old")]);
        machine.write(".config/containers/auth.json", old.to_string());
        let ran = machine.run(&[], &pods(&images));
        assert_eq!(ran.status, status, "{name}: {}", ran.stderr);
        let asked = machine.asked_as();
        let times = |user: &str| asked.iter().filter(|asked| *asked == user).count();
        assert_eq!((times("old"), times(last) >= images.len()), (1, true), "{name}: {asked:?}");
        if status != 0 {
            assert_eq!(times("ann"), 1, "{name}: {asked:?}");
            // The message is the same for the first image and for those that did not ask again.
            let words = "the login for registry.example from ";
            assert_eq!(ran.stderr.matches(words).count(), 2 * images.len(), "{}", ran.stderr);
        }
    }
}

#[test]
fn a_token_of_an_auth_file_is_refused_for_one_repository_at_a_time() {
    let bearer = Account::bearer("ann").opening(&["acme/app"]);
    let file = json!({ "auths": { "registry.example": { "registrytoken": password("ann") } } });
    let machine = Machine::with_docker(tokens(&[bearer, Account::nobody().opening(&[])]), &file);
    let tags = (0..10).flat_map(|n| ["closed", "app"].map(|name| (name, n)));
    let tags = tags.map(|(name, n)| format!("registry.example/acme/{name}:{n}"));
    machine.run(&[], &pods(tags)).failed(6);
    let sent = |path: &str| {
        let requests = machine.registry.requests().into_iter().filter(|one| one.is_to(path));
        let own = format!("Bearer {}", password("ann"));
        requests.filter(|request| request.authorization.as_ref() == Some(&own)).count()
    };
    assert_eq!((sent("acme/closed"), sent("acme/app")), (1, 10));
}

#[test]
fn what_is_missing_to_nobody_is_not_absent_where_a_login_was_refused() {
    // Some registries hide from strangers what is private.
    let hidden = Content::of(&[("acme/kubectl", &["v1.31"])]);
    let content = hidden
        .with_tokens(TokenRules { accounts: vec![Account::nobody()], ..TokenRules::default() });
    let stream = pods(["registry.example/acme/kubectl:v1.32"]);
    let machine = Machine::with_docker(content, &auths(&[("registry.example", "old")]));
    let said = machine.run(&[], &stream).failed(6);
    assert!(said.contains("is absent or private"), "{said}");
    assert!(said.contains("(denied: 404 Not Found from registry.example; the login for"), "{said}");
    machine.write(".docker/config.json", "{}");
    let ran = machine.run(&[], &stream);
    assert!(ran.stderr.contains("is used instead"), "nobody was refused: {}", ran.stderr);
}

#[test]
fn where_all_are_refused_the_message_says_who_was_tried() {
    for (content, seen) in [
        (basic(&[]), "401 Unauthorized from registry.example"),
        (
            tokens(&[Account::user("another")]),
            "401 Unauthorized from the token server registry.example, code UNAUTHORIZED",
        ),
    ] {
        let docker = auths(&[("registry.example", "ann"), ("registry.example/acme", "bob")]);
        let machine = Machine::with_docker(content, &docker);
        let said = machine.run(&[], &pods([WEB])).failed(6);
        let file = machine.path(".docker/config.json").display().to_string();
        let expected = [
            format!("error: `{WEB}` is absent or private: the registry does not say which\n"),
            format!(
                "  = tried: `{WEB}` (denied: {seen}; \
                 the login for registry.example/acme from {file} is refused; \
                 the login for registry.example from {file} is refused)\n"
            ),
            "  = help: log in with `docker login registry.example`, or name a file with logins with `--auth-file`; \
             or use a copy with `--layout DIR`\n"
                .to_owned(),
        ];
        for part in expected {
            assert!(said.contains(&part), "{part}\nis not in\n{said}");
        }
    }
}

#[test]
fn what_is_missing_for_one_login_is_looked_for_with_every_other() {
    let content = Content::of(&[("acme/web", &["2"])]).with_basic(&[Account::user("ann")]);
    let machine = Machine::with_docker(content, &auths(&[("registry.example", "ann")]));
    machine
        .write(".config/containers/auth.json", auths(&[("registry.example", "ann")]).to_string());
    machine.run(&[], &pods([WEB])).failed(1);
    // HEAD as nobody and as ann, GET as ann and as nobody, and the list of tags as ann. The same
    // login is in two files and counts once.
    assert_eq!(machine.asked_as(), ["nobody", "ann", "ann", "nobody", "ann"]);
}

#[test]
fn an_identity_token_is_exchanged_for_another() {
    let token = password("ann");
    let user = base64(format!("<token>:{token}"));
    for entry in [
        json!({ "identitytoken": token }),
        json!({ "identitytoken": token, "auth": auth("bob") }),
        json!({ "auth": base64("00000000-0000-0000-0000-000000000000:"), "identitytoken": token }),
        json!({ "auth": user }),
        json!({ "username": "<token>", "password": token }),
    ] {
        let file = json!({ "auths": { "registry.example": entry } });
        let machine = Machine::with_docker(tokens(&[Account::identity("ann")]), &file);
        machine.pin_web(&[]);
        let asked: Vec<_> = machine
            .registry
            .requests()
            .into_iter()
            .filter(|request| request.is_to("token"))
            .collect();
        let body = format!(
            "grant_type=refresh_token&client_id=digestif&service=loopback&\
             scope=repository%3Aacme%2Fweb%3Apull&refresh_token={token}"
        );
        assert_eq!(asked.len(), 1);
        assert_eq!((asked[0].line(), &asked[0].body), ("POST /token".to_owned(), &body));
        assert_eq!(asked[0].authorization, None);
        assert_eq!(machine.asked_as(), ["nobody", "nobody", "a token"]);
    }
}

#[test]
fn identity_tokens_are_exchanged_for_many_repositories_at_once() {
    let file = json!({ "auths": { "registry.example": { "identitytoken": password("ann") } } });
    let images: Vec<_> = (0..20).map(|n| format!("registry.example/acme/app-{n}:1")).collect();
    let realm = Some("http://registry.example/token?account=a+b".to_owned());
    let rules = TokenRules { realm, field: "access_token", ..TokenRules::default() };
    let machine = Machine::with_docker(tokens_with(&[Account::identity("ann")], rules), &file);
    assert_eq!(machine.run(&[], &pods(&images)).succeeded(), pinned(&images));
    assert_eq!(machine.asked_for_tokens(), ["POST /token?account=a+b"]);
    assert!(machine.registry.requests().len() <= 22);
}

#[test]
fn a_stale_identity_token_does_not_stand_in_the_way() {
    // RFC 6749, 5.2 has 400 for it; what does not know the exchange at all says 404 or 405.
    for refusal in [400, 401, 403, 404, 405] {
        let rules = TokenRules { refusal, ..TokenRules::default() };
        let file = json!({ "auths": { "registry.example": { "identitytoken": password("old") } } });
        let machine = Machine::with_docker(tokens_with(&[Account::nobody()], rules), &file);
        let said = machine.pin_web(&[]);
        assert_eq!(count(&said, "warning"), 1, "{refusal}: {said}");
    }
    // An outage is none of its business.
    let fault = Fault::on("token", Misbehaviour::ErrorCode(503, "UNKNOWN")).method("POST");
    let file = json!({ "auths": { "registry.example": { "identitytoken": password("ann") } } });
    let machine = Machine::with_docker(tokens(&[Account::nobody()]).with_fault(fault), &file);
    machine.run(&[], &pods([WEB])).failed(4);
}

#[test]
fn a_registry_token_is_sent_as_it_is() {
    let file = json!({ "auths": { "registry.example": { "registrytoken": password("ann") } } });
    let machine = Machine::with_docker(tokens(&[Account::bearer("ann")]), &file);
    machine.pin_web(&[]);
    assert!(machine.asked_for_tokens().is_empty());
    let sent: Vec<_> = machine.registry.requests().into_iter().map(|r| r.authorization).collect();
    assert_eq!(sent, [None, Some(format!("Bearer {}", password("ann")))]);

    let machine = Machine::with_docker(tokens(&[Account::nobody()]), &file);
    let said = machine.pin_web(&[]);
    assert_eq!(count(&said, "warning"), 1, "{said}");
}

#[test]
fn a_login_that_a_registry_has_no_use_for_is_not_sent() {
    for entry in [
        json!({ "identitytoken": password("ann") }),
        json!({ "registrytoken": password("ann") }),
        json!({ "auth": auth("ann") }),
    ] {
        let file = json!({ "auths": { "registry.example": entry } });
        let machine = Machine::with_docker(Content::everything(), &file);
        machine.pin_web(&[]);
        assert_eq!(machine.asked_as(), ["nobody"]);
    }
    for entry in
        [json!({ "identitytoken": password("ann") }), json!({ "registrytoken": password("ann") })]
    {
        let file = json!({ "auths": { "registry.example": entry } });
        let machine = Machine::with_docker(basic(&[Account::user("ann")]), &file);
        machine.run(&[], &pods([WEB])).failed(6);
        assert!(machine.asked_as().iter().all(|user| user == "nobody"));
    }
}

#[test]
fn a_registry_at_its_own_address_has_its_login() {
    let registry = Registry::start(tokens(&[Account::user("ann")]));
    let machine = Machine::with_docker(
        Content::everything(),
        &auths(&[(registry.address(), "ann"), ("localhost", "another")]),
    );
    let image = format!("{}/acme/web:1", registry.address());
    let mut command = machine.command(&[], &[]);
    let stdout = finish(start(&mut command), pods([&image]).as_bytes()).succeeded();
    assert_eq!(stdout, pods([format!("{image}@{}", digest_of("acme/web", "1"))]));
    assert_eq!(asked_as(&registry), ["nobody", "ann", "a token"]);
    assert_eq!(registry.requests()[2].authorization, Some(bearer(0)));
}

#[test]
fn offline_no_login_is_read() {
    let machine = Machine::new(Content::everything());
    machine.write(".docker/config.json", SECRET);
    machine.run(&["--offline"], &pods([WEB])).failed(5);
}
