import Firebreak
import KernelTestSupport

extension Corpus.Entry {
  var family: Family { isIPv6 ? .ipv6 : .ipv4 }
  private var isSaveText: Bool { kind.hasPrefix("save") }

  /// Whether the standard registry knows every match and target in it, so that extensions to come are picked up.
  private var isKnown: Bool {
    // The manifest speaks of what iptables had read in the end: a table that stands twice hides the first one's.
    let text = String(decoding: (try? readFile(path)) ?? [], as: UTF8.self)
    let lines = text.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("#") }
    let words = lines.flatMap { $0.split(separator: " ") }
    let matches = zip(words, words.dropFirst()).filter { $0.0 == "-m" }.map { String($0.1) }
    guard matches.allSatisfy({ Registry.standard.match(named: $0, family: family) != nil }) || !isAcceptedByLegacy
    else {
      return false
    }
    return extensions.allSatisfy { word in
      if word.hasPrefix("-g") { return true }
      let name = String(word.dropFirst(3))
      if word.hasPrefix("-m ") { return Registry.standard.match(named: name, family: family) != nil }
      return Verdict(label: name) != nil || Registry.standard.target(named: name, family: family) != nil
    }
  }

  /// Makes the sets, empty, that its rules look into; the notes tell their names and how many parts members have.
  func makeSets(in space: TestNamespace) throws {
    let types = ["1": "hash:ip", "2": "hash:ip,port", "3": "hash:ip,port,ip"]
    for note in notes.split(separator: ";") {
      let words = note.split(separator: " ")
      guard words.starts(with: ["ipsets", "created", "first:"]), let list = words.last else { continue }
      for set in list.split(separator: ",") {
        let parts = set.split { $0 == "(" || $0 == ")" }.map(String.init)
        let family = isIPv6 ? "inet6" : "inet"
        guard parts.count == 2, let type = types[parts[1]] else { throw ProcessFailure("what is the set \(set)?") }
        try space.require(["ipset", "create", parts[0], type, "family", family])
      }
    }
  }

  /// Files that Firebreak and iptables both have to take.
  static let accepted = Corpus.entries.filter { $0.isSaveText && $0.isKnown && $0.isAcceptedByLegacy }

  /// Files that Firebreak and iptables-nft both have to take.
  static let acceptedByNFT = Corpus.entries.filter { $0.isSaveText && $0.isKnown && $0.isAcceptedByNFT }

  /// Files that iptables refuses only for their line ends, which Firebreak reads.
  static let withOddLineEnds = rejected.filter { $0.notes.contains("rejection: crlf") }

  /// Files that are wrong whatever machine reads them.
  static let wrong = rejected.filter { entry in
    ["undefined-chain", "masked-data", "wrong-family", "other"].contains { entry.notes.contains("rejection: \($0)") }
  }

  private static let rejected = Corpus.entries.filter { $0.isSaveText && $0.isKnown && !$0.isAcceptedByLegacy }

  /// Files with extensions that this version does not know.
  static let unknown = Corpus.entries.filter { $0.isSaveText && !$0.isKnown }
}

/// Text of iptables-save without what differs from run to run: comments and counters.
func comparable(_ text: String) -> [String] {
  text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
    guard line.hasPrefix(":"), let bracket = line.lastIndex(of: "[") else { return String(line) }
    return String(line[..<bracket].reversed().drop { $0 == " " }.reversed())
  }
}

/// Without comments only.
func uncommented(_ text: String) -> [Substring] { text.split(separator: "\n").filter { !$0.hasPrefix("#") } }

/// The lines that are in one only, for messages; empty when both are the same.
func difference(_ found: [String], _ expected: [String]) -> [String] {
  guard found != expected else { return [] }
  let changes = found.difference(from: expected)
  return changes.prefix(12).map { change in
    switch change {
    case .insert(let place, let line, _): "found line \(place + 1): \(line)"
    case .remove(let place, let line, _): "expected line \(place + 1): \(line)"
    }
  }
}

/// The tables of a save text, each as its lines, in the order of their names.
func tables(_ lines: [String]) -> [String] {
  lines.split(separator: "COMMIT").sorted { $0.first! < $1.first! }.flatMap { $0 }
}
