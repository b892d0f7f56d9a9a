import KernelTestSupport

/// One row of the corpus' vectors: a rule, what the project's own expectation is and what iptables did with it.
struct VectorRow: Sendable, CustomStringConvertible {
  let tool: String
  let table: String
  let chain: String
  let rule: String
  let expectsAcceptance: Bool
  private let accepted: [TwinSite.Interface: Bool]
  private let lines: [TwinSite.Interface: String]
  let source: String

  func wasAccepted(_ interface: TwinSite.Interface) -> Bool { accepted[interface]! }
  /// What iptables-legacy-save or iptables-nft-save printed.
  func saved(_ interface: TwinSite.Interface) -> String { lines[interface]! }

  private init?(_ line: Substring) {
    let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    guard fields.count >= 12 else { return nil }
    tool = fields[0] == "6" ? "ip6tables" : "iptables"
    (table, chain, rule) = (fields[1], fields[2], fields[3])
    expectsAcceptance = fields[5] == "OK"
    accepted = [.legacy: fields[6] == "OK", .nft: fields[8] == "OK"]
    lines = [.legacy: fields[7], .nft: fields[9]]
    source = fields[10]
  }

  var description: String { "\(source): \(tool) -t \(table) -A \(chain) \(rule)" }

  /// Empty where there is no corpus.
  static let all: [VectorRow] = {
    guard let folder = Corpus.directory, let bytes = try? readFile(folder + "/vectors/vectors.tsv") else { return [] }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("#") }
      .compactMap { VectorRow($0) }
  }()
}
