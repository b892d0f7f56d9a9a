internal import Firebreak
internal import Glibc

/// The options that every command has: where to act, and how to speak.
struct SiteOptions: ParameterGroup {
  enum BackendWord: String, CaseIterable, ArgumentValue {
    case auto
    case legacy
    case nft

    var choice: BackendChoice {
      switch self {
      case .auto: .auto
      case .legacy: .legacy
      case .nft: .nft
      }
    }
  }

  enum ColorChoice: String, CaseIterable, ArgumentValue {
    case auto
    case always
    case never
  }

  @Option(
    "--backend",
    help: """
      Which kernel interface to use: ip_tables, as iptables-legacy, or nf_tables, as iptables-nft. auto takes ip_tables \
      where its tables hold rules, else nf_tables, else what the kernel has.
      """, placeholder: "auto|legacy|nft")
  var backend = BackendWord.auto

  @Option("--netns", help: "Act in this network namespace instead of the present one.", placeholder: "name|path")
  var netns: String?

  @Option("--state-dir", help: "Keep state here instead of \(StateDirectory.standardPath).", placeholder: "dir")
  var stateDir = StateDirectory.standardPath

  @Flag("--ipv4", "-4", help: "IPv4 only; the family of text that does not say.")
  var ipv4 = false

  @Flag("--ipv6", "-6", help: "IPv6 only; the family of text that does not say.")
  var ipv6 = false

  @Flag("--json", help: "Print the result as JSON on standard output.")
  var json = false

  @Flag("--quiet", "-q", help: "Print nothing but errors.")
  var quiet = false

  @Option("--color", help: "Colour the output.", placeholder: "auto|always|never")
  var color = ColorChoice.auto

  func validate() throws {
    if ipv4, ipv6 { throw ValidationError("-4 and -6 exclude each other; leave both out for both families") }
  }

  /// The family asked for; nil for both.
  var family: Family? { ipv4 ? .ipv4 : ipv6 ? .ipv6 : nil }

  var families: [Family] { family.map { [$0] } ?? Family.allCases }

  var console: Console {
    Console(isQuiet: quiet, isJSON: json, wantsColor: color == .always ? true : color == .never ? false : nil)
  }

  /// Runs a command's work and turns what it throws into messages and an exit status.
  func run(_ body: (Console) throws -> Void) throws {
    let console = console
    do {
      try body(console)
    } catch let exit as ExitCode {
      console.flush()
      throw exit
    } catch {
      let failure = CommandFailure(error)
      console.report(failure)
      console.flush()
      throw ExitCode(failure.status)
    }
    console.flush()
  }

  /// Root, and inside the namespace: nothing is read before that.
  func enter() throws {
    try Self.requireRoot()
    if let netns { try NetworkNamespace(netns).enter() }
  }

  static func requireRoot() throws {
    guard geteuid() == 0 else { throw CommandFailure(.notRoot, "only root may do this", hint: "run it with sudo") }
  }

  /// - Parameter form: in which form nf_tables gets rules.
  func store(form: NFTablesBackend.Form = .asItIs) throws -> RuleStore {
    RuleStore(try backend.choice.backend(names: .system, form: form, remembering: memory))
  }

  /// Where rules of nf_tables are remembered: in memory, as those themselves are, or beside a state of its own.
  private var memory: String {
    stateDir == StateDirectory.standardPath ? NFTablesBackend.standardMemory : stateDir
  }

  /// - Parameter store: where to commit.
  func engine(_ store: RuleStore) throws -> CommitEngine {
    let state = try StateDirectory(stateDir)
    let place = ["-q", "--backend", store.backend.capabilities.name, "--state-dir", try state.absolutePath]
    var engine = CommitEngine(store: store, state: state, sets: .system)
    engine.companions = SystemCompanions()
    if let programPath {
      engine.recovery = RecoveryCommand(
        program: programPath,
        arguments: [FirebreakCommand.name, "recover", "--lock-wait", "60", "--this-start"] + place)
      engine.guardCommand = RecoveryCommand(program: programPath, arguments: [FirebreakCommand.name, "guard"] + place)
    }
    let memory = memory
    engine.otherStore = { name in
      BackendChoice(rawValue: name)?.named(names: .system, remembering: memory).map { RuleStore($0) }
    }
    return engine
  }

  func history() throws -> History { History(state: try StateDirectory(stateDir), sets: .system) }

  /// For rules that go to no kernel: where no interface is asked for they have to suit both, and ip_tables takes less.
  var interface: KernelInterface { backend == .nft ? .nfTables : .ipTables }

  /// The name of the backend that was asked for; nil when any will do.
  var backendName: String? { backend == .auto ? nil : backend.rawValue }

  /// This program's own file.
  var programPath: String? {
    withUnsafeTemporaryAllocation(byteCount: Int(PATH_MAX), alignment: 1) { buffer in
      let count = readlink("/proc/self/exe", buffer.baseAddress!, buffer.count)
      return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
  }
}

/// A table on the command line.
enum TableChoice: String, CaseIterable, ArgumentValue {
  case filter
  case nat
  case mangle
  case raw
  case security

  var name: TableName {
    switch self {
    case .filter: .filter
    case .nat: .nat
    case .mangle: .mangle
    case .raw: .raw
    case .security: .security
    }
  }
}

/// How long to wait for other programs.
struct LockOptions: ParameterGroup {
  @Option(
    "--lock-wait", "-w", help: "Wait so long for the lock that iptables and firebreak share.", placeholder: "seconds")
  var lockWait = 5

  func validate() throws {
    if lockWait < 0 { throw ValidationError("-w takes 0 or more seconds") }
  }

  func apply(to options: inout RuleStore.CommitOptions) { options.lockWait = .seconds(lockWait) }
}
