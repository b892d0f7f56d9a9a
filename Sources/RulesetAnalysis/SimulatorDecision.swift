/// What a table does with a packet, and how it came to that.
public struct Decision: Equatable, Sendable {
  public enum Verdict: Hashable, Sendable {
    case accept
    case drop
    /// Dropped, and the sender is told.
    case reject
    /// It follows neither from the rules nor from what is said of the packet; ``Decision/depends`` says from what.
    case unknown
  }

  /// What decided.
  public enum Decider: Hashable, Sendable {
    case rule(RulePlace)
    /// The policy of the chain in which the packet began, by its place among the chains of the table.
    case policy(chain: Int)
    /// The packet saw no rule: the `nat` table is asked about the first packet of a connection only.
    case connection
    /// A rule looked for a header that the kernel did not find or that is cut short; it gave up on the packet.
    case header
  }

  public var verdict: Verdict
  /// nil where the verdict is unknown.
  public var by: Decider?
  /// Every rule that matched, in the order of the walk, jumps included: the rules whose counters have grown.
  public var trace: [RulePlace]
  /// What could not be decided. Where the verdict is known these are rules that may have matched without having changed
  /// the outcome; where it is not, the last ones are why.
  public var depends: [Dependency]

  public init(
    _ verdict: Verdict = .unknown, by: Decider? = nil, trace: [RulePlace] = [], depends: [Dependency] = []
  ) {
    self.verdict = verdict
    self.by = by
    self.trace = trace
    self.depends = depends
  }

  mutating func decide(_ verdict: Verdict, by decider: Decider?) {
    self.verdict = verdict
    by = decider
  }

  /// As before any packet; the arrays keep their room.
  mutating func clear() {
    decide(.unknown, by: nil)
    trace.removeAll(keepingCapacity: true)
    depends.removeAll(keepingCapacity: true)
  }
}

/// One rule of a table.
public struct RulePlace: Hashable, Sendable {
  private let packed: (chain: UInt32, rule: UInt32)

  /// The chain's place in ``Table/chains``, from 0.
  public var chain: Int { Int(packed.chain) }
  /// The rule's place in its chain, from 0; people count from 1.
  public var rule: Int { Int(packed.rule) }

  public init(chain: Int, rule: Int) { packed = (UInt32(chain), UInt32(rule)) }

  public static func == (a: RulePlace, b: RulePlace) -> Bool { a.packed == b.packed }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(packed.chain)
    hasher.combine(packed.rule)
  }
}

/// A match or a target whose answer follows from something that is not said of the packet.
public struct Dependency: Equatable, Sendable {
  public let place: RulePlace
  /// The match or target as rules text names it: `limit`.
  public let name: String
  /// What its answer depends on, as a noun phrase: `the time of day`.
  public let on: StaticString
  /// The match's place in its rule; nil for the target.
  let match: Int?

  public static func == (a: Dependency, b: Dependency) -> Bool {
    a.place == b.place && a.name == b.name && a.match == b.match && "\(a.on)" == "\(b.on)"
  }
}
