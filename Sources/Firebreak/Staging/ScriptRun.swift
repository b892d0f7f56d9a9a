internal import CLinux
internal import Glibc
internal import RuleStore

/// Runs an unchanged script whose calls of iptables, ip6tables and ipset act on a copy of the live rules, by whatever path
/// it calls them; everything else that it does happens to the machine as always.
///
/// The script gets a view of files of its own (a private mount namespace), in which this program lies at the place of those
/// programs and takes each call to the copy.
public struct ScriptRun {
  /// The script as it is to be found, and its arguments, each with a zero at its end.
  public var words: [[CChar]]
  public var limit = Duration.seconds(300)
  /// Its standard output goes to standard error.
  public var outputGoesToErrors = false
  /// Called now and then with the time that the script has run.
  public var onTick: (Duration) -> Void = { _ in }

  public init(_ words: [[CChar]]) { self.words = words }

  /// How a script ended.
  public indirect enum Ending: Hashable, Sendable {
    case exit(Int32)
    case signal(Int32)
    /// A signal that this process was given and passed on.
    case interrupted(by: Int32)
    /// It did not end in time and was killed.
    case timeout
    /// It ended, and processes that it had started did not, until they were killed.
    case leftBehind(Ending)

    public var isGood: Bool { self == .exit(0) }
  }

  /// What a script left.
  public struct Outcome: Sendable {
    public let ending: Ending
    /// In the order in which they happened. A script may mean to go on after them.
    public let faults: [ScriptFault]
    public let time: Duration
  }

  /// A script that cannot be run.
  public struct Unusable: Error, Hashable, Sendable, CustomStringConvertible {
    public let name: String
    public let reason: String
    public let hint: String?
    public var description: String { "cannot run '\(name)': \(reason)" }
  }

  /// Runs the script to its end, with everything that it started and left in its group.
  public func run(on kernel: StagedKernel) throws -> Outcome {
    guard !words.isEmpty else { throw Unusable(name: "", reason: "no script was named", hint: nil) }
    let begin = BootTime.now
    let mask = ScriptProcess.holdSignals()
    defer { ScriptProcess.releaseSignals(mask) }
    _ = fb_adopt_orphans(1)
    defer { _ = fb_adopt_orphans(0) }
    try StagingFolder.make()
    let (script, files) = try visiting(
      "the script cannot have a view of files of its own (mount namespaces)", fb_in_fresh_mount_namespace
    ) {
      let (files, programs) = try Files.make(kernel, isTrapping: words.contains { Self.setsTrap($0) })
      let script = try ScriptProcess(
        words, environment: Self.environment(programs), quiet: outputGoesToErrors, mask: mask)
      return (script, files)
    }
    script.takeTerminal()
    let ending = script.wait(within: limit, onTick)
    script.giveTerminalBack()
    files.handBack()
    return Outcome(ending: ending, faults: files.faults, time: BootTime.now - begin)
  }

  private static let longestScript = 1 << 20

  /// Whether a word is a file that speaks of bash's trap for errors.
  private static func setsTrap(_ word: [CChar]) -> Bool {
    let file = open(word, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { return false }
    defer { close(file) }
    var info = stat()
    guard fstat(file, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_size <= longestScript,
      let text = StagingFolder.read(file)
    else { return false }
    return text.split { !$0.isLetter && $0 != "_" }.contains("ERR")
  }

  /// This process's, and what makes bash tell of failures.
  private static func environment(_ programs: String?) -> [[CChar]] {
    var result: [[CChar]] = []
    var next = environ
    while let entry = next.pointee {
      next += 1
      var text = Array(UnsafeBufferPointer(start: entry, count: strlen(entry) + 1))
      let head = String(decoding: text.prefix(9).map { UInt8(bitPattern: $0) }, as: UTF8.self)
      if head == "BASH_ENV=" { text = Array("FIREBREAK_".utf8CString.dropLast()) + text }
      if head.hasPrefix("PATH="), let programs {
        text = text.dropLast() + Array(":\(programs)".utf8CString)
      }
      result.append(text)
    }
    if let programs, getenv("PATH") == nil {
      result.append(Array("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:\(programs)".utf8CString))
    }
    return result + [Array("BASH_ENV=\(StagingFolder.bash)".utf8CString)]
  }

  /// The open files of a staging folder that nobody else sees.
  private final class Files {
    private let gate: Int32
    private let owner: Int32
    private let faultFile: Int32

    /// Fills the folder in the calling thread's view of files, and covers the programs.
    /// - Returns: also a folder to add to PATH.
    static func make(_ kernel: StagedKernel, isTrapping: Bool) throws -> (Files, programs: String?) {
      let code = fb_mount_memory(StagingFolder.path)
      guard code == 0 else { throw StagingFailure("nothing can be mounted at \(StagingFolder.path)", code: code) }
      for (source, target) in [
        ("/proc/self/fd/\(kernel.space.descriptor)", StagingFolder.copy),
        ("/proc/thread-self/ns/net", StagingFolder.home),
      ] {
        close(try StagingFolder.create(target))
        let code = fb_bind(source, target)
        if code != 0 { throw StagingFailure("the network namespace \(source) cannot be mounted", code: code) }
      }
      close(try StagingFolder.create(StagingFolder.bash, ScriptFault.bash(isInherited: !isTrapping)))
      close(try StagingFolder.create(StagingFolder.lock))
      let files = Files(
        gate: try StagingFolder.create(StagingFolder.gate, "S"), owner: try StagingFolder.create(StagingFolder.owner),
        faultFile: try StagingFolder.create(StagingFolder.faults))
      try staged("cannot lock a file of its own") { flock(files.owner, LOCK_EX | LOCK_NB) }
      return (files, try ToolMounts(kernel).cover())
    }

    private init(gate: Int32, owner: Int32, faultFile: Int32) {
      (self.gate, self.owner, self.faultFile) = (gate, owner, faultFile)
    }

    deinit { for file in [gate, owner, faultFile] { close(file) } }

    private static let patience = 500

    /// From now on calls of what the script left running act on the live rules. Calls under way are waited for.
    func handBack() {
      for _ in 0..<Self.patience where flock(gate, LOCK_EX | LOCK_NB) != 0 { usleep(10_000) }
      var state = UInt8(ascii: "L")
      pwrite(gate, &state, 1, 0)
      flock(gate, LOCK_UN)
    }

    var faults: [ScriptFault] {
      (StagingFolder.read(faultFile) ?? "").split(separator: "\n").compactMap { ScriptFault(line: $0) }
    }
  }
}
