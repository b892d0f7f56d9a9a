import Glibc

/// An SSH server in one network namespace and a client in another, with a wire between them. Keys and accounts are the
/// test's own; nobody else can log in, and nothing of it is seen outside.
public final class SSHServer: Sendable {
  /// Where the server is.
  public let space: TestNamespace
  private let client: TestNamespace
  private let process: pid_t

  public static let address = "192.0.2.1"
  public static let peer = "192.0.2.2"

  /// The server that scripts/setup unpacked, or the system's.
  public static let program: String? = [Built.packageDirectory + "/.build/tools/sshd/usr/sbin/sshd", "/usr/sbin/sshd"]
    .first { access($0, X_OK) == 0 }

  public init() throws {
    guard let program = Self.program else { throw ProcessFailure("there is no SSH server") }
    let (space, client) = (try TestNamespace(), try TestNamespace())
    (self.space, self.client) = (space, client)
    try space.require(["ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", client.name])
    for (side, address) in [(space, Self.address), (client, Self.peer)] {
      try side.require(["ip", "address", "add", "\(address)/24", "dev", "wire"])
      try side.require(["ip", "link", "set", "wire", "up"])
    }
    let folder = space.directory
    for key in ["host", "key"] {
      try space.require(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "\(folder)/\(key)"])
    }
    let settings = try space.file(
      "sshd_config",
      """
      HostKey \(folder)/host
      AuthorizedKeysFile \(folder)/key.pub
      PidFile \(folder)/sshd.pid
      StrictModes no
      PasswordAuthentication no
      PermitRootLogin prohibit-password
      UseDNS no

      """)
    let users = try space.file(
      "passwd", "root:x:0:0:root:/root:/bin/sh\nsshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n")
    let secrets = try space.file("shadow", "root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n")
    let unpacked =
      program.hasPrefix(Built.packageDirectory) ? Built.packageDirectory + "/.build/tools/sshd" : "/nothing"
    // A mount namespace of its own: accounts and /run are the server's.
    try space.require([
      "unshare", "-m", "sh", "-c",
      """
      set -e
      mount --make-rprivate /
      mount --bind \(users) /etc/passwd
      mount --bind \(secrets) /etc/shadow
      mount -t tmpfs none /run
      mkdir /run/sshd
      for folder in \(unpacked)/lib/*-linux-gnu* \(unpacked)/usr/lib/*-linux-gnu*; do
        LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}:$folder
      done
      export LD_LIBRARY_PATH
      \(program) -f \(settings) -E \(folder)/sshd.log
      """,
    ])
    var process: pid_t = 0
    for _ in 0..<100 where process == 0 {
      let text = (try? readFile(folder + "/sshd.pid")).map { String(decoding: $0, as: UTF8.self) } ?? ""
      process = pid_t(text.prefix { $0.isNumber }) ?? 0
      if process == 0 { usleep(50_000) }
    }
    guard process > 1 else { throw ProcessFailure("the SSH server did not start; see \(folder)/sshd.log") }
    self.process = process
  }

  deinit { kill(process, SIGKILL) }

  /// Runs a command line in a session over the wire.
  /// - Returns: its status; 255 where there is no connection.
  public func session(_ command: String, timeout: Double = 30) throws -> ProcessResult {
    try client.run(
      [
        "ssh", "-F", "none", "-i", space.directory + "/key", "-o", "StrictHostKeyChecking=no", "-o",
        "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=1", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR",
        "-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=3", "root@\(Self.address)", command,
      ], timeout: timeout)
  }
}
