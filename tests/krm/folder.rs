//! The folder `krm/`: its definition has the printed schema, and the commands of its page work.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::support::pages::recipe;
use crate::support::registry::{Content, Registry};
use crate::support::{clients, digestif, finish, start, testdata};
use crate::{Folder, container, offline};

const DEFINITION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/krm/function.yaml");

/// The schema of the configuration, in the form of a Kubernetes API.
fn open_api_schema() -> Value {
    let schema = digestif(["schema", "config"], "").succeeded();
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let mut converted = open_api(&schema, &schema["$defs"]);
    for key in ["$schema", "$defs"] {
        converted.as_object_mut().expect("an object").remove(key);
    }
    converted
}

/// Converts JSON Schema 2020-12 to `OpenAPI` 3.0: no references, no lists of types, no constants.
fn open_api(schema: &Value, definitions: &Value) -> Value {
    let inner = |schema: &Value| open_api(schema, definitions);
    let mut new = match schema {
        Value::Object(old) => old.clone(),
        Value::Array(schemas) => return schemas.iter().map(inner).collect(),
        _ => return schema.clone(),
    };
    if let Some(Value::Object(properties)) = new.get_mut("properties") {
        properties.values_mut().for_each(|property| *property = inner(property));
    }
    if let Some(items) = new.get_mut("items") {
        *items = inner(items);
    }
    if let Some(name) = new.remove("$ref") {
        let name = name.as_str().and_then(|name| name.strip_prefix("#/$defs/"));
        merge(&mut new, inner(&definitions[name.expect("a definition")]));
    }
    if let Some(Value::Array(mut types)) = new.get("type").cloned() {
        assert_eq!(types.pop(), Some("null".into()));
        new.insert("nullable".to_owned(), true.into());
        if let [one] = &types[..] {
            new.insert("type".to_owned(), one.clone());
        } else {
            new.remove("type");
            let either = types.iter().map(|one| json!({"type": one})).collect();
            new.insert("anyOf".to_owned(), either);
            return Value::Object(new);
        }
    }
    if let Some(Value::Array(either)) = new.remove("anyOf") {
        if either[1..] == [json!({"type": "null"})] {
            merge(&mut new, inner(&either[0]));
            new.insert("nullable".to_owned(), true.into());
        } else {
            new.insert("anyOf".to_owned(), either.iter().map(inner).collect());
        }
    }
    if let Some(Value::Array(constants)) = new.remove("oneOf") {
        let values: Vec<_> = constants.iter().map(|one| one["const"].clone()).collect();
        assert!(values.iter().all(Value::is_string), "{constants:?}");
        new.insert("type".to_owned(), "string".into());
        new.insert("enum".to_owned(), values.into());
    }
    Value::Object(new)
}

/// Adds missing keys only, because a description next to a reference is the better one.
fn merge(schema: &mut Map<String, Value>, referred: Value) {
    let Value::Object(referred) = referred else { panic!("{referred} is no schema") };
    for (key, value) in referred {
        schema.entry(key).or_insert(value);
    }
}

#[test]
fn the_definition_has_the_schema_that_the_binary_prints() {
    let schema = open_api_schema();
    let text = fs::read_to_string(DEFINITION).expect("readable");
    if std::env::var_os("UPDATE_KRM").is_some() {
        let (head, _) = text.split_once("openAPIV3Schema:\n").expect("it says where it goes");
        let schema = serde_yaml::to_string(&schema).expect("YAML");
        let schema: String = schema.lines().map(|line| format!("        {line}\n")).collect();
        fs::write(DEFINITION, format!("{head}openAPIV3Schema:\n{schema}")).expect("writable");
        return;
    }
    let definition: Value = serde_yaml::from_str(&text).expect("YAML");
    // A diff of two whole schemas would be too long to read.
    assert!(
        definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] == schema,
        "krm/function.yaml is stale: `UPDATE_KRM=1 cargo test --test krm` writes it again"
    );
    let group = format!("{}/v1alpha1", definition["spec"]["group"].as_str().unwrap_or_default());
    assert_eq!(schema["properties"]["apiVersion"]["enum"], json!([group]));
    assert_eq!(schema["properties"]["kind"]["enum"], json!([definition["spec"]["names"]["kind"]]));
}

#[test]
fn the_schema_of_the_definition_accepts_the_same_as_the_binary() {
    let schema = open_api_schema();
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let examples = fs::read_dir(testdata("config")).expect("readable");
    let examples = examples.map(|entry| entry.expect("readable").path());
    let own = ["kustomize-exec", "kustomize-container"].map(|name| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("krm/examples/{name}/pin.yaml"))
    });
    for path in examples.chain(own) {
        let text = fs::read_to_string(&path).expect("readable");
        let value: Value = serde_yaml::from_str(&text).expect("YAML");
        assert!(schema.is_valid(&value), "{}", path.display());
        let mut wrong = value.clone();
        wrong["unknown"] = true.into();
        assert!(!schema.is_valid(&wrong), "{}", path.display());
    }
}

/// The commands of a block that start a client, each on one line.
fn commands(block: &str) -> Vec<String> {
    let block = block.replace("\\\n ", "");
    let is_client = |line: &&str| {
        ["kustomize ", "kubectl ", "kpt "].iter().any(|client| line.starts_with(client))
    };
    let commands: Vec<_> = block.lines().filter(is_client).map(str::to_owned).collect();
    assert!(!commands.is_empty(), "{block}");
    commands
}

/// The files of the checkout that the commands name.
fn checkout() -> Folder {
    let folder = crate::examples();
    fs::create_dir(folder.path().join("krm")).expect("writable");
    let at = |name: &str| folder.path().join(name);
    fs::rename(at("examples"), at("krm/examples")).expect("writable");
    std::os::unix::fs::symlink(testdata(""), at("testdata")).expect("writable");
    folder
}

/// Runs a command with the clients, and checks that it pins.
#[track_caller]
fn try_command(shell: &mut Command, clients: &Path, folder: &Folder, line: &str) {
    let script = format!("PATH=\"{}:$PATH\"\n{line}", clients.display());
    let ran = finish(start(shell.args(["-c", &script]).current_dir(folder.path())), b"");
    assert_eq!(ran.status, 0, "{line}\n{}", ran.stderr);
    assert!(ran.stdout.contains(" nginx:1.29.1@sha256:"), "{line}\n{}", ran.stdout);
}

#[test]
fn the_commands_of_the_page_start_the_program() {
    let Some(clients) = clients() else { return };
    let folder = checkout();
    for line in commands(&recipe("krm-exec")) {
        let mut shell = Command::new("bash");
        shell.env_clear().env("PATH", crate::path([])).envs(offline());
        try_command(&mut shell, &clients, &folder, &line);
    }
}

#[test]
fn the_commands_of_the_page_start_the_container() {
    let (Some(clients), Some(store)) = (clients(), container::store()) else { return };
    let folder = checkout();
    let registry = Registry::start(Content::everything());
    let redirected = format!("--network -e '{}'", container::registry_flag(&registry));
    let blocks = recipe("krm-container") + &recipe("krm-container-offline");
    for line in commands(&blocks) {
        // The loopback registry replaces the internet.
        let line = line.replace("--network", &redirected);
        try_command(&mut store.command("bash"), &clients, &folder, &line);
    }
    assert!(registry.requests_to("library/nginx") > 2, "one for each that has a network");
}
