internal import CLinux
internal import Glibc

/// A call of a program that changes packet filters, made by a script whose rules are staged: this process stands in for the
/// program, or is our own front end.
public enum StagedCall {
  /// What this process is to do.
  public enum Role: Equatable {
    /// Nobody stages anything here.
    case none
    /// It stood in for a program, which ended with this status.
    case done(Int32)
    /// It is Firebreak itself, and is now in the copy's network namespace.
    case inCopy
    /// It must not do anything, for a reason.
    case refused(String)
  }

  /// Does the work of the program that this process stands in for.
  public static func take() -> Role {
    guard access(StagingFolder.tools, F_OK) == 0, let own = StagingFolder.program,
      let tools = StagingFolder.read(StagingFolder.tools)
    else { return .none }
    for line in tools.split(separator: "\n") {
      let fields = line.split(separator: "\t", maxSplits: 3, omittingEmptySubsequences: false)
      guard fields.count == 4, fields[0] == own, let kind = ToolMounts.Kind(rawValue: String(fields[2])) else {
        continue
      }
      return .done(run(StagingFolder.real + "/\(fields[1])", kind, refusal: String(fields[3])))
    }
    switch enter() {
    case .copy(let gate):
      // Held until this process ends.
      _ = gate
      return .inCopy
    case .live: return .none
    case .refused(let reason): return .refused(reason)
    }
  }

  // MARK: Where to act

  private enum Place {
    /// With the gate's descriptor.
    case copy(Int32)
    case live
    case refused(String)
  }

  /// Moves this process into the copy, unless the script that it was made for has ended.
  /// - Parameter wantsInterfaces: whether the copy is to have the machine's interfaces.
  private static func enter(wantsInterfaces: Bool = false) -> Place {
    HostWords.resolveArguments()
    guard geteuid() == 0 else { return .refused("Permission denied (you must be root)") }
    let gate = open(StagingFolder.gate, O_RDONLY | O_CLOEXEC)
    var state: UInt8 = 0
    guard gate >= 0, lock(gate), pread(gate, &state, 1, 0) == 1 else {
      return .refused("the gate to the copy of the rules cannot be opened")
    }
    guard state == UInt8(ascii: "S") else {
      close(gate)
      return .live
    }
    guard hasOwner else { return .refused("the `firebreak run` that this script belonged to has ended") }
    guard isHome else {
      return .refused("this is another network namespace than the one whose rules `firebreak run` works on")
    }
    let space = open(StagingFolder.copy, O_RDONLY | O_CLOEXEC)
    defer { close(space) }
    let interfaces = wantsInterfaces ? StagedInterfaces() : nil
    let code = fb_enter_network_namespace(space)
    guard code == 0 else {
      return .refused("the copy of the rules cannot be entered: \(String(cString: strerror(code)))")
    }
    interfaces?.stand()
    setenv("XTABLES_LOCKFILE", StagingFolder.lock, 1)
    return .copy(gate)
  }

  private static func lock(_ gate: Int32) -> Bool {
    while flock(gate, LOCK_SH) != 0 { if errno != EINTR { return false } }
    return true
  }

  /// Whether the process is there that will commit the copy.
  private static var hasOwner: Bool {
    let owner = open(StagingFolder.owner, O_RDONLY | O_CLOEXEC)
    defer { close(owner) }
    return owner >= 0 && flock(owner, LOCK_SH | LOCK_NB) != 0
  }

  private static var isHome: Bool {
    var home = stat()
    var here = stat()
    return stat(StagingFolder.home, &home) == 0 && stat("/proc/self/ns/net", &here) == 0
      && home.st_ino == here.st_ino && home.st_dev == here.st_dev
  }

  // MARK: The call

  private static func run(_ real: String, _ kind: ToolMounts.Kind, refusal: String) -> Int32 {
    let words = (0..<Int(CommandLine.argc)).compactMap { CommandLine.unsafeArgv[$0].map { String(cString: $0) } }
    let name = words.first.map { String($0.split(separator: "/").last ?? "") } ?? ""
    if kind == .services {
      guard let unit = ServiceCall.reload(words.dropFirst()) else { return become(real) }
      return refuse(
        name, words,
        "\(unit) would change the live rules at once; leave it to `firebreak run`, which commits when the script is done"
      )
    }
    if words.dropFirst().allSatisfy({ $0 == "--version" || $0 == "-V" || $0 == "-v" }), words.count > 1 {
      return become(real)
    }
    switch enter(wantsInterfaces: kind == .native) {
    case .live: return become(real)
    case .refused(let reason): return refuse(name, words, reason)
    case .copy:
      if name.hasPrefix("ebtables") || name.hasPrefix("arptables") {
        return refuse(name, words, "`firebreak run` has no copy of \(name)'s tables; run it outside the script")
      }
      guard refusal.isEmpty else { return refuse(name, words, refusal) }
      return watch(real, words)
    }
  }

  private static func refuse(_ name: String, _ words: [String], _ reason: String) -> Int32 {
    say(Array("\(name): \(reason)\n".utf8)[...])
    note(1, words, reason)
    return 1
  }

  /// Makes this process the real program.
  private static func become(_ real: String) -> Int32 {
    execv(real, CommandLine.unsafeArgv)
    return 126
  }

  private static let mostMessage = 2048

  /// Runs the real program and passes on what it says; a failure is written down.
  private static func watch(_ real: String, _ words: [String]) -> Int32 {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return become(real) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
    var child: pid_t = 0
    let code = posix_spawn(&child, real, &actions, nil, CommandLine.unsafeArgv, environ)
    close(ends[1])
    guard code == 0 else {
      say(Array("\(words.first ?? ""): \(String(cString: strerror(code)))\n".utf8)[...])
      return 126
    }
    let message = passOn(ends[0])
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    let ending = status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
    if ending != 0 { note(ending, words, message) }
    return ending
  }

  /// - Returns: the first line of what was said.
  private static func passOn(_ end: Int32) -> String {
    var kept: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(end, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      say(buffer[..<count])
      if kept.count < mostMessage { kept += buffer[..<count] }
    }
    return String(decoding: kept.split(separator: UInt8(ascii: "\n")).first ?? [], as: UTF8.self)
  }

  private static func say(_ bytes: ArraySlice<UInt8>) {
    var rest = bytes
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(2, $0.baseAddress!, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }

  private static func note(_ status: Int32, _ words: [String], _ message: String) {
    let file = open(StagingFolder.faults, O_WRONLY | O_APPEND | O_CLOEXEC)
    guard file >= 0 else { return }
    defer { close(file) }
    let bytes = Array(ScriptFault.callLine(status: status, words.joined(separator: " "), message).utf8)
    _ = write(file, bytes, bytes.count)
  }
}

/// What a call of systemctl(1) would do to packet filters.
package enum ServiceCall {
  private static let verbs: Set<String> = [
    "start", "stop", "restart", "reload", "try-restart", "reload-or-restart", "force-reload", "condrestart", "kill",
  ]
  private static let units: Set<String> = [
    "iptables", "ip6tables", "netfilter-persistent", "iptables-persistent", "nftables", "ipset", "ufw", "firewalld",
    "ferm", "shorewall",
  ]

  /// The unit of a packet filter that the call starts or stops; nil where it does nothing of the kind. `enable --now` starts.
  package static func reload(_ words: ArraySlice<String>) -> String? {
    guard let verb = words.first(where: { !$0.hasPrefix("-") }) else { return nil }
    guard verbs.contains(verb) || (words.contains("--now") && ["enable", "disable"].contains(verb)) else { return nil }
    return words.first { word in units.contains(word.hasSuffix(".service") ? String(word.dropLast(8)) : word) }
  }
}
