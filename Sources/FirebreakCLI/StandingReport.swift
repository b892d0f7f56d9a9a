internal import Firebreak

/// How Firebreak's own rules stand, as `status` tells it.
struct StandingReport {
  private let standing: Standing?

  /// Looking makes no state directory.
  init(_ site: SiteOptions) throws {
    guard StateDirectory.exists(site.stateDir) else {
      standing = nil
      return
    }
    standing = try site.engine(site.store()).standing(names: .system)
  }

  /// Whether rules of Firebreak's are gone, moved or overruled.
  var isDisturbed: Bool { standing?.drift?.touchesOwn == true || standing?.changesBeside.isEmpty == false }

  /// Whether a table of nf_tables is Firebreak's.
  func owns(_ table: OtherTable) -> Bool {
    standing?.beside.contains { $0.kind == .table && $0.name == "\(table.family) \(table.name)" } == true
  }

  var notes: [String] {
    var notes = standing?.notes ?? []
    if let awaiting = standing?.awaiting, !awaiting.isGuarded {
      notes.append(
        "the guard of commit \(awaiting.number) is gone: run `firebreak confirm`, or `firebreak recover` for another one"
      )
    }
    return notes
  }

  var lines: [String] {
    guard let standing else { return [] }
    var lines: [String] = []
    if let awaiting = standing.awaiting {
      lines.append(
        "commit \(awaiting.number) waits to be confirmed: \(awaiting.remaining.components.seconds) s left (firebreak confirm)"
      )
    }
    if let generation = standing.generation { lines.append("generation \(generation.line.drop { $0 == " " })") }
    lines += standing.beside.map { "  with \($0)" }
    guard standing.drift != nil else { return lines }
    let changes = changes
    lines.append(changes.isEmpty ? "the kernel holds it as it was committed" : "changed in the kernel since then:")
    return lines + changes.map { "  \($0)" }
  }

  private var changes: [String] {
    (standing?.drift?.changes.map(\.description) ?? []) + (standing?.changesBeside ?? [])
  }

  var members: [(String, JSON)] {
    [
      ("generation", standing?.generation.map { JSON($0) } ?? .null),
      (
        "awaiting",
        standing?.awaiting.map { awaiting in
          .object([
            ("generation", .number(awaiting.number)),
            ("seconds_left", .number(Int(awaiting.remaining.components.seconds))),
            ("guarded", .bool(awaiting.isGuarded)),
          ])
        } ?? .null
      ),
      ("beside", .array((standing?.beside ?? []).map { .string("\($0)") })),
      ("drift", standing?.drift.map { _ in .array(changes.map { .string($0) }) } ?? .null),
      ("disturbed", .bool(isDisturbed)),
    ]
  }
}
