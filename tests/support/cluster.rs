//! A real API server, with its etcd, for tests.
//!
//! There is no node and no controller: objects are checked and stored, and no Job ever runs.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::KeyPair;
use serde_json::json;
use tokio::net::TcpSocket;

/// Runs both servers until its stdin ends, and then removes everything. Stdin ends with this process. `$1` is the
/// folder of the servers, `$2` the folder of the clients, `$3` the port. etcd needs no port, because the API server
/// reaches it over a socket. No program uses the addresses that etcd advertises.
const SUPERVISOR: &str = r#"
"$2/etcd" --data-dir=etcd --unsafe-no-fsync --log-level=warn \
  --listen-client-urls="unix://$1/client" --advertise-client-urls=http://127.0.0.1:1 \
  --listen-peer-urls="unix://$1/peer" --initial-advertise-peer-urls=http://127.0.0.1:1 \
  --initial-cluster=default=http://127.0.0.1:1 >etcd.log 2>&1 &
etcd=$!
"$2/kube-apiserver" --etcd-servers="unix://$1/client" --cert-dir=certificates \
  --bind-address=127.0.0.1 --secure-port="$3" --permit-port-sharing \
  --advertise-address=127.0.0.1 --endpoint-reconciler-type=none \
  --service-cluster-ip-range=10.0.0.0/24 --service-account-issuer=https://kubernetes.default.svc \
  --service-account-key-file=public.pem --service-account-signing-key-file=private.pem \
  --disable-admission-plugins=ServiceAccount --authorization-mode=AlwaysAllow \
  --token-auth-file=tokens.csv >kube-apiserver.log 2>&1 &
read -r _
kill -KILL $! $etcd
wait
rm -rf "$1"
"#;

/// The token of the administrator of this short-lived cluster.
const TOKEN: &str = "loopback";

/// The start takes 3 s on an idle machine. Only a test that fails waits this long.
const START_LIMIT: Duration = Duration::from_secs(120);

/// A real API server, version 1.36.
pub struct Cluster {
    folder: PathBuf,
    address: SocketAddr,
    /// Owned so that its stdin stays open.
    _supervisor: Child,
    /// Reserves the API server's port and never listens.
    _port: TcpSocket,
}

impl Cluster {
    /// Starts both servers and waits until the API server is ready.
    pub fn start(clients: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        let socket = TcpSocket::new_v4().expect("there are sockets");
        socket.set_reuseport(true).expect("a new socket takes options");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("loopback has free ports");
        let address = socket.local_addr().expect("it is bound");
        let key = KeyPair::generate().expect("random numbers");
        for (name, text) in [
            ("private.pem", key.serialize_pem()),
            ("public.pem", key.public_key_pem()),
            ("tokens.csv", format!("{TOKEN},admin,admin,system:masters\n")),
            ("kubeconfig", kubeconfig(&folder, address, "default")),
        ] {
            fs::write(folder.join(name), text).expect("writable");
        }
        let supervisor = Command::new("sh")
            .args(["-c", SUPERVISOR, "supervisor"])
            .args([&folder, clients])
            .arg(address.port().to_string())
            .current_dir(&folder)
            // Ctrl-C ends this process. The supervisor must live on to clean up.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("there is a shell");
        let cluster = Self { folder, address, _supervisor: supervisor, _port: socket };
        let deadline = Instant::now() + START_LIMIT;
        while !cluster.is_ready(clients) {
            assert!(Instant::now() < deadline, "no API server\n{}", cluster.logs());
            thread::sleep(Duration::from_millis(20));
        }
        cluster
    }

    fn is_ready(&self, clients: &Path) -> bool {
        // This is cheaper than a kubectl call while there is no server.
        TcpStream::connect(self.address).is_ok()
            && Command::new(clients.join("kubectl"))
                .args(["get", "--raw=/readyz", "--request-timeout=5s"])
                .env("KUBECONFIG", self.kubeconfig())
                .output()
                .expect("scripts/clients built it")
                .status
                .success()
    }

    /// A file with the address and the token.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Like `kubeconfig`, in a folder of the caller and with this namespace as the default.
    pub fn kubeconfig_for(&self, namespace: &str, folder: &Path) -> PathBuf {
        let path = folder.join("kubeconfig");
        let text = kubeconfig(&self.folder, self.address, namespace);
        fs::write(&path, text).expect("writable");
        path
    }

    /// The last lines that the servers logged.
    fn logs(&self) -> String {
        let log = |name| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        let logs = ["etcd.log", "kube-apiserver.log"].map(|name| {
            let log = log(name);
            let lines: Vec<_> = log.lines().collect();
            format!("{name}:\n{}\n", lines[lines.len().saturating_sub(20)..].join("\n"))
        });
        logs.concat()
    }
}

fn kubeconfig(folder: &Path, address: SocketAddr, namespace: &str) -> String {
    let ca = folder.join("certificates/apiserver.crt");
    let context = json!({"cluster": "test", "user": "admin", "namespace": namespace});
    let cluster = json!({"server": format!("https://{address}"), "certificate-authority": ca});
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": TOKEN}}],
        "contexts": [{"name": "test", "context": context}],
        "current-context": "test",
    })
    .to_string()
}
