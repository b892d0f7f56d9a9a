import KernelTestSupport
import Testing

/// Two namespaces: in one the iptables of this machine is at work, in the other ours under its names. What a script sees
/// has to be the same.
struct TwinSite {
  /// The two forms of iptables.
  enum Interface: String, CaseIterable, CustomTestStringConvertible {
    case legacy
    case nft

    var testDescription: String { rawValue }

    /// `iptables-restore` is `iptables-legacy-restore` or `iptables-nft-restore`.
    func fullName(_ tool: String) -> String {
      let parts = tool.split(separator: "-", maxSplits: 1)
      return ([parts[0], Substring(rawValue)] + parts.dropFirst()).joined(separator: "-")
    }
  }

  let interface: Interface
  let peer: TestNamespace
  let ours: TestNamespace

  init(_ interface: Interface = .legacy) throws {
    self.interface = interface
    peer = try TestNamespace()
    ours = try TestNamespace()
  }

  /// The words of a command, `iptables -A INPUT …`; single quotes hold words together.
  static func words(_ line: String) -> [String] {
    var words: [String] = []
    var word: String?
    var isQuoted = false
    for character in line {
      if character == "'" {
        isQuoted.toggle()
        word = word ?? ""
      } else if character == " ", !isQuoted {
        if let done = word { words.append(done) }
        word = nil
      } else {
        word = (word ?? "") + String(character)
      }
    }
    return words + (word.map { [$0] } ?? [])
  }

  /// Runs the same command on both sides.
  func run(_ line: String, input: String = "") throws -> (peer: ProcessResult, ours: ProcessResult) {
    let words = Self.words(line)
    let full = [interface.fullName(words[0])] + words.dropFirst()
    let theirs = try peer.run(full, input: input)
    // A name that does not say which is that of ip_tables where there are no rules yet.
    return (theirs, try ours.run([Built.firebreak] + (interface == .legacy ? words : full), input: input))
  }

  /// Runs a command on both sides and compares status, output, and whether something was complained about.
  func compare(_ line: String, input: String = "", sourceLocation: SourceLocation = #_sourceLocation) throws {
    let (peer, ours) = try run(line, input: input)
    #expect(ours.status == peer.status, "\(line)\n\(ours)\npeer: \(peer)", sourceLocation: sourceLocation)
    #expect(
      Self.undated(ours.stdout) == Self.undated(peer.stdout), "\(line)\n\(ours)\npeer: \(peer)",
      sourceLocation: sourceLocation)
    if peer.status != 0 { #expect(ours.stderr != "", "\(line) fails without a word", sourceLocation: sourceLocation) }
  }

  /// What both kernels hold, as the machine's iptables reads it, counters included.
  func compareKernels(sourceLocation: SourceLocation = #_sourceLocation) throws {
    for tool in ["iptables-save", "ip6tables-save"].map(interface.fullName) {
      let (theirs, mine) = try (peer.require([tool, "-c"]).stdout, ours.require([tool, "-c"]).stdout)
      #expect(uncommented(mine) == uncommented(theirs), sourceLocation: sourceLocation)
    }
  }

  /// The comment lines of -save without the date, and the name that every program gives itself as iptables has it.
  static func undated(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      guard line.hasPrefix("# "), let place = line.range(" on ") else { return String(line) }
      return line[..<place].split(separator: "-nft-", maxSplits: 1).joined(separator: "-")
    }.joined(separator: "\n")
  }
}

extension Substring {
  fileprivate func range(_ needle: String) -> Index? {
    indices.first { self[$0...].hasPrefix(needle) }
  }
}
