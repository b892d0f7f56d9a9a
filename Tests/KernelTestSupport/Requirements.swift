import CLinux
import Glibc
public import Testing

/// What a test cannot do without.
public enum Need: Sendable {
  /// The right to make network namespaces and to change rules.
  case root
  /// A kernel with ip_tables and ip6_tables.
  case legacyTables
  /// A kernel with nf_tables and the extensions of xtables in it.
  case nfTables
  /// A program in PATH, or by its own path.
  case tool(String)
  /// Rulesets of other people; see ``Corpus``.
  case corpus
  /// OpenSSH's server and client; see ``SSHServer``.
  case sshServer

  /// Why it is not there, nil when it is.
  public var whatIsMissing: String? {
    switch self {
    case .root: geteuid() == 0 ? nil : "needs root"
    case .legacyTables: Self.legacyRefusal
    case .nfTables: Self.nfTablesRefusal
    case .tool(let name): Self.isInPath(name) ? nil : "needs the program \(name)"
    case .sshServer:
      SSHServer.program == nil || !Self.isInPath("ssh-keygen") ? "needs an SSH server: scripts/setup fetches one" : nil
    case .corpus: Corpus.directory == nil ? "needs the corpus; FIREBREAK_CORPUS says where it is" : nil
    }
  }

  /// Whether FIREBREAK_REQUIRE_KERNEL=1 makes a failure of it: the corpus may be missing even then.
  fileprivate var isObligatory: Bool {
    if case .corpus = self { return false }
    return getenv("FIREBREAK_REQUIRE_KERNEL").map { String(cString: $0) == "1" } ?? false
  }

  private static func isInPath(_ name: String) -> Bool {
    if name.hasPrefix("/") { return access(name, X_OK) == 0 }
    let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/sbin:/usr/bin:/sbin:/bin"
    return path.split(separator: ":").contains { access("\($0)/\(name)", X_OK) == 0 }
  }

  /// Asks for a table of each family in a namespace of its own.
  private static let legacyRefusal: String? = {
    guard geteuid() == 0 else { return "needs root" }
    final class Answer { var families = 0 }
    let answer = Answer()
    for module in ["ip_tables", "ip6_tables"] { _ = fb_load_module(module) }
    let code = fb_in_fresh_network_namespace(
      { context in
        let answer = Unmanaged<Answer>.fromOpaque(context!).takeUnretainedValue()
        if Need.hasFilterTable(AF_INET, level: 0) { answer.families += 1 }
        if Need.hasFilterTable(AF_INET6, level: 41) { answer.families += 1 }
      }, Unmanaged.passUnretained(answer).toOpaque())
    if code != 0 { return "needs network namespaces: \(String(cString: strerror(code)))" }
    return answer.families == 2 ? nil : "needs a kernel with ip_tables and ip6_tables"
  }()

  /// Asks for the present generation (NFT_MSG_GETGEN), which is answered with NFT_MSG_NEWGEN.
  private static let nfTablesRefusal: String? = {
    guard geteuid() == 0 else { return "needs root" }
    for module in ["nf_tables", "nft_compat"] { _ = fb_load_module(module) }
    let descriptor = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue), 12)
    guard descriptor >= 0 else { return "needs a kernel with nf_tables" }
    defer { close(descriptor) }
    // A length of 20, the type, NLM_F_REQUEST; then struct nfgenmsg.
    let request: [UInt8] = [20, 0, 0, 0, 16, 10, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    var answer = [UInt8](repeating: 0, count: 4096)
    guard send(descriptor, request, request.count, 0) == request.count,
      recv(descriptor, &answer, answer.count, Int32(MSG_DONTWAIT)) >= 20, answer[4] == 15, answer[5] == 10
    else { return "needs a kernel with nf_tables" }
    return nil
  }()

  /// IPT_SO_GET_INFO, which makes the table.
  private static func hasFilterTable(_ domain: Int32, level: Int32) -> Bool {
    let descriptor = socket(domain, Int32(SOCK_RAW.rawValue), 255)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var info = [UInt8](repeating: 0, count: 84)
    for (place, byte) in "filter".utf8.enumerated() { info[place] = byte }
    var size = socklen_t(info.count)
    return getsockopt(descriptor, level, 64, &info, &size) == 0
  }
}

extension Trait where Self == ConditionTrait {
  /// Leaves the test out, saying why, where something is missing; with FIREBREAK_REQUIRE_KERNEL=1 that is a failure.
  public static func requires(_ needs: Need...) -> Self {
    let missing = needs.lazy.compactMap { need in need.whatIsMissing.map { (need, $0) } }.first
    return .enabled(Comment(rawValue: missing?.1 ?? "")) {
      guard let (need, reason) = missing else { return true }
      if need.isObligatory { throw ProcessFailure("\(reason), and FIREBREAK_REQUIRE_KERNEL=1 forbids leaving it out") }
      return false
    }
  }
}
