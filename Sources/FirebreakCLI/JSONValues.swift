internal import Firebreak

/// What commands print as JSON.
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
