import Glibc
import Testing

@testable import Netfilter

/// Rules that other people wrote come back from their expressions as they were.
@Suite struct NFTCorpusTests {
  @Test(.enabled(if: Corpus.path != nil, Corpus.missing))
  func everyVector() throws {
    var names = Names.wellKnown
    names.sets = .empty
    var checked = 0
    for vector in try Corpus.vectors() where Registry.standard.knowsExtensions(of: vector) {
      let text = "*\(vector.table)\n-A \(vector.chain) \(vector.rule)\nCOMMIT\n"
      checked += check(text, vector.family, names, "\(vector.source) \(vector.family): \(vector.rule)")
    }
    #expect(checked > 1000)
  }

  @Test(.enabled(if: Corpus.path != nil, Corpus.missing))
  func everyFile() throws {
    var checked = 0
    for file in try Corpus.saves() {
      let text = String(decoding: try Corpus.read(file), as: UTF8.self)
      checked += check(text, file.hasSuffix(".v6") ? .ipv6 : .ipv4, .ofRows, file)
    }
    #expect(checked > 1000)
  }

  /// - Returns: the number of rules.
  private func check(_ text: String, _ family: Family, _ names: Names, _ place: String) -> Int {
    let reading = RulesText.read(text, family: family, names: names)
    guard !reading.hasErrors else { return 0 }
    var count = 0
    for table in reading.ruleset.tables {
      for chain in table.chains {
        for rule in chain.rules {
          count += 1
          do throws(NFTRuleCodec.Unsupported) {
            let expressions = try NFTRuleCodec.expressions(for: rule, family: family, registry: .standard)
            let again = NFTRuleCodec.rule(from: expressions, family: family, registry: .standard)
            #expect(again == rule.withoutEmptyWords, "\(place)\n\(ExpressionText.print(expressions))")
          } catch {
            Issue.record("\(place): \(error)")
          }
        }
      }
    }
    return count
  }
}

extension Rule {
  /// Without `-p all`, which ip6tables keeps, and `--nflog-range`, which has no effect.
  fileprivate var withoutEmptyWords: Rule {
    var rule = self
    if proto?.value.rawValue == 0 { rule.proto = nil }
    guard case .extension(let target) = target, var log = target as? NFLog, log.length?.hasEffect == false else {
      return rule
    }
    log.length = nil
    rule.target = .extension(log)
    return rule
  }
}
