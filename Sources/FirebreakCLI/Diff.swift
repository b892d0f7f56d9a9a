internal import Firebreak

struct Diff: Subcommand {
  static let name = "diff"

  static let about = About(
    "Compare rules by their meaning.",
    discussion: """
      A and B are files, generations by number, `kernel`, or `previous` for what the last apply replaced. One alone is \
      compared with the kernel; none shows what the last apply changed. Counters, the order of tables, and `state` for `conntrack` do not matter. \
      A file is compared in the tables that it names.

      Exit status: 0 the same, 1 different, more when something went wrong.
      """)

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions

  @Argument("a", help: "From.") var a: String?
  @Argument("b", help: "To; `kernel` if left out.") var b: String?

  func run() throws {
    try site.run { console in
      let from = Side(a ?? "previous")
      let to = Side(b ?? "kernel")
      if from.needsRoot || to.needsRoot { try site.enter() }
      let store = try storeOfKernel(from, to)
      var old = try load(from, store, console)
      var new = try load(to, store, console)
      if from.isFile, !to.isFile { new.keepOnly(old) }
      if to.isFile, !from.isFile { old.keepOnly(new) }
      if from.isPast, case .kernel = to { new.keepOnly(old) }
      if to.isPast, case .kernel = from { old.keepOnly(new) }
      let difference = RulesetDifference(from: old.selected(site), to: new.selected(site), names: .system)
      if console.isJSON {
        console.print(.object([("same", .bool(difference.isEmpty)), ("diff", JSON(difference))]))
      } else if !console.isQuiet {
        console.print(difference)
      }
      if !difference.isEmpty { throw ExitCode(.failed) }
    }
  }

  private enum Side {
    case file(String)
    case kernel
    case previous
    case generation(Int)

    init(_ word: String) {
      switch word {
      case "kernel": self = .kernel
      case "previous": self = .previous
      default: self = Int(word).map { .generation($0) } ?? .file(word)
      }
    }

    var isFile: Bool { if case .file = self { true } else { false } }
    var isPrevious: Bool { if case .previous = self { true } else { false } }
    var isPast: Bool { if case .generation = self { true } else { isPrevious } }
    var needsRoot: Bool { !isFile }
  }

  /// What the last apply replaced is compared with what is there now: where it was committed.
  private func storeOfKernel(_ from: Side, _ to: Side) throws -> RuleStore {
    let store = try site.store()
    guard case .auto = site.backend, from.isPrevious || to.isPrevious else { return store }
    return try site.engine(store).previous().store
  }

  private func load(_ side: Side, _ store: RuleStore, _ console: Console) throws -> Ruleset {
    switch side {
    case .file(let path):
      try site.readRules(
        [path], console, for: store.backend.capabilities.interface, names: .forComparison
      ).ruleset
    case .kernel: try store.backend.outline(of: .all).ruleset
    case .previous: try site.engine(store).previous().ruleset
    case .generation(let number): try site.history().generation(number).ruleset
    }
  }
}

extension Ruleset {
  /// Leaves out the tables that another ruleset does not speak of.
  fileprivate mutating func keepOnly(_ other: Ruleset) {
    self = Ruleset(tables.filter { other[$0.name, $0.family] != nil })
  }

  fileprivate func selected(_ site: SiteOptions) -> Ruleset {
    Ruleset(tables.filter { site.families.contains($0.family) })
  }
}
