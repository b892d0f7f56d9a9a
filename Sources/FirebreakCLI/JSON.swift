internal import Firebreak

/// A JSON value to print, its objects in the order given (RFC 8259).
enum JSON {
  case null
  case bool(Bool)
  case number(Int)
  case string(String)
  case array([JSON])
  case object([(String, JSON)])

  var text: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .number(let value): "\(value)"
    case .string(let value): Self.quoted(value)
    case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
    case .object(let members):
      "{" + members.map { "\(Self.quoted($0.0)):\($0.1.text)" }.joined(separator: ",") + "}"
    }
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      case _ where scalar.value < 0x20:
        let hex = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

extension JSON {
  init(_ diagnostic: Diagnostic) {
    self = .object([
      ("severity", .string(diagnostic.severity.rawValue)), ("file", .string(diagnostic.file)),
      ("line", .number(diagnostic.line)), ("column", .number(diagnostic.column)),
      ("message", .string(diagnostic.message)), ("hint", diagnostic.hint.map { .string($0) } ?? .null),
    ])
  }

  init(_ plan: Plan) {
    let made = plan.creations.filter { id in !plan.steps.contains { $0.id == id } }
    self = .array(plan.steps.map { JSON($0) } + made.map { JSON($0, existed: false, rules: 0, changes: (0, 0)) })
  }

  private init(_ step: Plan.Step) {
    self.init(step.id, existed: step.before != nil, rules: step.after.ruleCount, changes: step.changes)
  }

  private init(_ id: TableID, existed: Bool, rules: Int, changes: (added: Int, removed: Int)) {
    self = .object([
      ("family", .number(id.family == .ipv4 ? 4 : 6)), ("table", .string(id.name.rawValue)),
      ("existed", .bool(existed)), ("rules", .number(rules)),
      ("added", .number(changes.added)), ("removed", .number(changes.removed)),
    ])
  }

  init(_ difference: RulesetDifference) {
    self = .array(
      difference.tables.map { table in
        .object([
          ("family", .number(table.family == .ipv4 ? 4 : 6)), ("table", .string(table.name.rawValue)),
          (
            "chains",
            .array(
              table.chains.map { chain in
                .object([
                  ("chain", .string(chain.name.text)),
                  ("removed", .array(chain.lines.filter { $0.side == .removed }.map { .string($0.text) })),
                  ("added", .array(chain.lines.filter { $0.side == .added }.map { .string($0.text) })),
                ])
              })
          ),
        ])
      })
  }
}
