import Testing

@testable import Netfilter

/// One rule as text and as expressions (``ExpressionText``).
struct NFTRow: Sendable, CustomTestStringConvertible {
  let family: Family
  let rule: String
  let expressions: String
  let table: TableName

  init(_ family: Family, _ rule: String, _ expressions: String, in table: TableName = .filter) {
    self.family = family
    self.rule = rule
    self.table = table
    self.expressions = expressions
  }

  var testDescription: String { "\(family): \(rule)" }

  /// Text to rule to expressions to rule, and text to expressions to rule. Where the row has no counter, a zero one comes
  /// last.
  func checkBothWays(sourceLocation: SourceLocation = #_sourceLocation) throws {
    let counter = self.expressions.isEmpty ? "counter 0 0" : "; counter 0 0"
    let expected = self.expressions.contains("counter") ? self.expressions : self.expressions + counter
    let rule = try Self.read(rule, family, table)
    let expressions = try NFTRuleCodec.expressions(for: rule, family: family, registry: .standard)
    #expect(ExpressionText.print(expressions) == expected, sourceLocation: sourceLocation)
    #expect(try ExpressionText.read(expected) == expressions, sourceLocation: sourceLocation)
    let again = NFTRuleCodec.rule(from: expressions, family: family, registry: .standard)
    #expect(again == rule, sourceLocation: sourceLocation)
  }

  /// Expressions to rule; the encoder writes others.
  func checkReading(sourceLocation: SourceLocation = #_sourceLocation) throws {
    let expressions = try ExpressionText.read(self.expressions)
    let rule = NFTRuleCodec.rule(from: expressions, family: family, registry: .standard)
    #expect(rule == (try Self.read(self.rule, family, table)), sourceLocation: sourceLocation)
  }

  static func read(_ text: String, _ family: Family, _ table: TableName = .filter) throws -> Rule {
    let reading = RulesText.read(
      "*\(table)\n:X - [0:0]\n:Y - [0:0]\n-A X \(text)\nCOMMIT\n", family: family, names: .ofRows)
    try #require(!reading.hasErrors, "\(reading.diagnostics)")
    return try #require(reading.ruleset[table, family]?["X"]?.rules.first)
  }
}

/// Expressions that say what no xtables rule says.
struct ForeignRow: Sendable, CustomTestStringConvertible {
  let family: Family
  let expressions: String

  init(_ family: Family, _ expressions: String) {
    self.family = family
    self.expressions = expressions
  }

  var testDescription: String { expressions }

  func check(sourceLocation: SourceLocation = #_sourceLocation) throws {
    let rule = NFTRuleCodec.rule(
      from: try ExpressionText.read(expressions), family: family, registry: .standard)
    #expect(rule == nil, sourceLocation: sourceLocation)
  }
}
