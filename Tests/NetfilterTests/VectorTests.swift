import Glibc
import Testing

@testable import Netfilter

/// One row of the corpus: a rule, whether iptables takes it, and what iptables-save then prints.
struct Vector {
  let family: Family
  let table: TableName
  let chain: String
  let rule: String
  let isAccepted: Bool
  let saved: String
  let source: String

  init?(_ line: Substring) {
    let columns = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    guard columns.count >= 12, let table = TableName(rawValue: columns[1]) else { return nil }
    family = columns[0] == "6" ? .ipv6 : .ipv4
    self.table = table
    chain = columns[2]
    rule = columns[3]
    let isFaulty = faultsOfThatVersion.contains { columns[3].contains($0.part) }
    isAccepted = columns[isFaulty ? 5 : 6] == "OK"
    saved = columns[isFaulty ? 4 : 7]
    source = "\(columns[10]):\(columns[11])"
  }
}

/// Rows whose verdict no reading of the text can give, by what their rule holds, each with its reason.
private let onlyTheKernelKnows: [(part: String, reason: String)] = []

/// Rows where the iptables that made the corpus has a fault that later versions do not have, or its kernel lacked the
/// extension, by what their rule holds; the columns of the later version tell what is right.
private let faultsOfThatVersion: [(part: String, reason: String)] = [
  ("--protocol=tcp", "reads the whole word as the protocol's name"),
  ("-ptcp", "reads the whole word as the protocol's name"),
  ("! --sport :", "does not save the condition: a rule for no packet becomes one for every packet"),
  ("--led-trigger-id", "that kernel has no LED"),
  ("--selctx", "that kernel has no SECMARK"),
  ("! --rt-segsleft :", "does not save the condition: a rule for no packet becomes one for every packet"),
  ("! --mh-type :", "does not save the condition: a rule for no packet becomes one for every packet"),
  ("! --ahspi :", "does not save the condition: a rule for no packet becomes one for every packet"),
  ("! --espspi :", "does not save the condition: a rule for no packet becomes one for every packet"),
  ("-m ipvs", "ran on a kernel without IPVS, which refused every rule that asks about it"),
  ("! --dport :", "does not save the condition: a rule for no packet becomes one for every packet"),
]

enum Corpus {
  /// The folder named by FIREBREAK_CORPUS, or `../shared/corpus` beside the package.
  static let path: String? = {
    var candidates: [String] = []
    if let named = getenv("FIREBREAK_CORPUS") { candidates.append(String(cString: named)) }
    let package = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    candidates.append("/\(package)/../shared/corpus")
    return candidates.first { access("\($0)/vectors/vectors.tsv", R_OK) == 0 }
  }()

  static let missing: Testing.Comment = "no corpus: set FIREBREAK_CORPUS to its folder, or put it at ../shared/corpus"

  static func vectors() throws -> [Vector] {
    let text = String(decoding: try read("vectors/vectors.tsv"), as: UTF8.self)
    return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.compactMap { Vector($0) }
  }

  /// The files of rules as they were found, relative to the corpus.
  static func saves() throws -> [String] {
    let manifest = String(decoding: try read("MANIFEST.tsv"), as: UTF8.self)
    let files = manifest.split(separator: "\n").map { String($0.prefix { $0 != "\t" }) }
    return files.filter { $0.hasPrefix("save/") && ($0.hasSuffix(".v4") || $0.hasSuffix(".v6")) }
  }

  static func read(_ name: String) throws -> [UInt8] {
    let folder = try #require(path)
    let file = try #require(fopen("\(folder)/\(name)", "r"))
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&buffer, 1, buffer.count, file)
      guard count > 0 else { break }
      bytes.append(contentsOf: buffer.prefix(count))
    }
    return bytes
  }
}

extension Registry {
  /// Whether every extension that the rule names, or loads by its protocol, is one of ours.
  func knowsExtensions(of vector: Vector) -> Bool {
    let words = vector.rule.split(separator: " ").map(String.init)
    var definitions: [ExtensionDefinition] = []
    var proto: String?
    for (word, value) in zip(words, words.dropFirst()) {
      switch word {
      case "-m":
        guard let match = match(named: value, family: vector.family) else { return false }
        definitions.append(match.definition)
      case "-j":
        if Verdict(label: value) != nil { continue }
        guard let target = target(named: value, family: vector.family) else { return false }
        definitions.append(target.definition)
      case "-p": proto = value
      default: break
      }
    }
    let isProtocolKnown = proto.map { match(named: $0, family: vector.family) != nil } ?? true
    guard !isProtocolKnown else { return true }
    return words.filter { $0.hasPrefix("--") }.allSatisfy { word in
      BaseOption.allCases.contains { $0.longNames.contains { "\($0)" == word } }
        || definitions.contains {
          $0.options.contains { "\($0.name)" == word || $0.aliases.contains { "\($0)" == word } }
        }
    }
  }
}

@Suite struct VectorTests {
  @Test(
    .enabled(if: Corpus.path != nil, Corpus.missing))
  func everyRowOfAKnownExtension() throws {
    var checked = 0
    var excused = 0
    let vectors = try Corpus.vectors()
    var names = Names.wellKnown
    names.sets = .empty  // as where the corpus was made
    for vector in vectors where Registry.standard.knowsExtensions(of: vector) {
      if onlyTheKernelKnows.contains(where: { vector.rule.contains($0.part) }) {
        excused += 1
        continue
      }
      checked += 1
      let place = "\(vector.source) \(vector.family) \(vector.table): -A \(vector.chain) \(vector.rule)"
      let reading = RulesText.read(
        "*\(vector.table)\n-A \(vector.chain) \(vector.rule)\nCOMMIT\n", family: vector.family, names: names)
      let messages = reading.diagnostics.map { "\($0)" }.joined(separator: "\n")
      guard !reading.hasErrors else {
        if vector.isAccepted { Issue.record("\(place)\niptables accepts it, we say: \(messages)") }
        continue
      }
      guard vector.isAccepted else {
        Issue.record("\(place)\niptables refuses it, we read it")
        continue
      }
      var out = SaveText(family: vector.family)
      out.print(try #require(reading.ruleset[vector.table, vector.family]))
      let lines = out.string.split(separator: "\n").filter { $0.hasPrefix("-A ") }
      #expect(lines.joined(separator: "\n") == vector.saved, "\(place)")
    }
    print("vectors: \(checked) rows checked, \(excused) only the kernel can judge, of \(vectors.count)")
    #expect(checked > 0)
  }
}
