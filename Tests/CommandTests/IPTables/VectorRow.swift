import KernelTestSupport

/// One row of the corpus' vectors: a rule, what the project's own expectation is and what iptables did with it.
struct VectorRow: Sendable, CustomStringConvertible {
  let tool: String
  let table: String
  let chain: String
  let rule: String
  let expectsAcceptance: Bool
  let wasAccepted: Bool
  /// What iptables-legacy-save printed.
  let saved: String
  let source: String

  private init?(_ line: Substring) {
    let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    guard fields.count >= 12 else { return nil }
    tool = fields[0] == "6" ? "ip6tables" : "iptables"
    (table, chain, rule) = (fields[1], fields[2], fields[3])
    expectsAcceptance = fields[5] == "OK"
    wasAccepted = fields[6] == "OK"
    saved = fields[7]
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
