internal import Netfilter
internal import RuleStore

/// Where the rules of a compiled table are in the kernel.
struct CompiledTable {
  var chains: [ChainName: CompiledChain] = [:]
  /// Those that stand in the table of both families.
  var shared: Set<ChainName> = []
  /// The numbers of chains that hold one target each, for elements whose verdict it is.
  var targets: [TargetKey: Int] = [:]
  /// Numbers of helpers from here on are free.
  var nextHelper = 1

  struct TargetKey: Hashable {
    let form: TableForm
    let expressions: [NFTExpression]
  }

  /// What a batch makes of a table.
  struct Written {
    let table: CompiledTable
    /// Of chains that it changes, for each rule the old one that stays for it.
    let staying: [ChainName: [Int?]]
  }

  mutating func newHelper() -> Int {
    defer { nextHelper += 1 }
    return nextHelper
  }

  func form(of chain: ChainName) -> TableForm { shared.contains(chain) ? .shared : .compiled }
}

/// The rules of the kernel's chain, and where each rule of iptables stands among them.
struct CompiledChain {
  /// A map with the rule that looks into it.
  struct Map {
    let name: String
    let kind: ChainLayout.Kind
    /// Elements that fit, of one family.
    let room: Int
    var count = 0
  }

  struct Item {
    /// nil where the kernel has not told yet.
    var handle: UInt64?
    /// nil for a linear rule.
    var map: Map?
  }

  struct Entry {
    var item: Int
    /// Rules stand in the order of these.
    var order: UInt64
    /// The number of the chain that holds the rule (``isWhole`` is false then) or its target.
    var helper: Int?
    /// Whether key, counter and target of the map's elements are the rule.
    var isWhole = true
    /// How many elements of the map are the rule's.
    var keys = 0
  }

  var items: [Item] = []
  /// By rule.
  var entries: [Entry] = []
  /// The rule that has the policy of one family, behind all others, in a built-in chain of both.
  var policyHandle: UInt64?
}

/// What an element of a map does.
enum ElementTarget {
  case verdict(NFTVerdict)
  /// A jump to a chain that holds these.
  case shared([NFTExpression])

  /// nil where it needs a chain of the rule's own, or linear form.
  init?(_ target: RuleTarget, _ family: Family) {
    switch target {
    case .none: self = .verdict(.continue)
    case .verdict(.accept): self = .verdict(.accept)
    case .verdict(.drop): self = .verdict(.drop)
    case .verdict(.return): self = .verdict(.return)
    case .verdict(.queue): return nil
    case .jump(let chain): self = .verdict(.jump(chain))
    case .goto(let chain): self = .verdict(.goto(chain))
    case .extension(let target):
      guard target is Reject || target is Log || target is NFLog,
        let said = try? NFTRuleCodec.expressions(
          for: Rule(target: .extension(target)), family: family, registry: .standard)
      else { return nil }
      self = .shared(said.filter { if case .counter = $0 { false } else { true } })
    }
  }

  var needsChain: Bool { if case .shared = self { true } else { false } }
}

/// User data of an element or a rule: types, lengths and values as nft has them, which skips those that it does not know.
struct ElementNote {
  /// Rules stand in the order of these.
  var order: UInt64
  /// The rule is none of iptables but has a chain's policy.
  var isPolicy = false
  /// Another key of the rule comes before this one.
  var isContinued = false
  var commentLeads = false
  var comment: Comment?
  var ports: (any Match)?

  private enum Kind {
    static let comment: UInt8 = 0  // NFTNL_UDATA_SET_ELEM_COMMENT
    static let order: UInt8 = 0x46
    static let ports: UInt8 = 0x47
  }

  private static let portMatches: [StaticString] = ["multiport", "tcp", "udp"]

  init(order: UInt64) { self.order = order }

  mutating func take(_ split: RuleSplit) {
    (comment, commentLeads, ports) = (split.comment, split.commentLeads, split.ports)
  }

  func write(_ family: Family, to out: inout ByteWriter) {
    if let comment {
      out.write(Kind.comment)
      out.write(UInt8(comment.bytes.count + 1))
      out.write(comment.bytes)
      out.write(UInt8(0))
    }
    out.write(Kind.order)
    out.write(UInt8(9))
    out.write(UInt8((isContinued ? 1 : 0) | (commentLeads ? 2 : 0) | (isPolicy ? 4 : 0)))
    out.write(big: order)
    guard let ports else { return }
    var bytes = ByteWriter(capacity: 64)
    ports.encode(to: &bytes, family: family)
    out.write(Kind.ports)
    out.write(UInt8(1 + bytes.count))
    out.write(UInt8(Self.portMatches.firstIndex { "\($0)" == ports.name } ?? 0))
    out.write(bytes.written)
  }

  func bytes(_ family: Family) -> [UInt8] {
    var out = ByteWriter(capacity: 64)
    write(family, to: &out)
    return out.bytes
  }

  /// nil where it is none of ours.
  init?(_ bytes: UnsafeRawBufferPointer, _ family: Family) {
    var order: UInt64?
    var offset = 0
    while offset + 2 <= bytes.count {
      let (kind, length) = (bytes[offset], Int(bytes[offset + 1]))
      let end = offset + 2 + length
      guard end <= bytes.count, length > 0 else { return nil }
      let value = UnsafeRawBufferPointer(rebasing: bytes[offset + 2..<end])
      switch kind {
      case Kind.comment:
        guard value.last == 0, let text = Comment(bytes: Array(value.dropLast())) else { return nil }
        comment = text
      case Kind.order:
        guard length == 9 else { return nil }
        (isContinued, commentLeads, isPolicy) = (value[0] & 1 != 0, value[0] & 2 != 0, value[0] & 4 != 0)
        order = UInt64(bigEndian: value.loadUnaligned(fromByteOffset: 1, as: UInt64.self))
      case Kind.ports:
        guard let match = Self.match(value, family) else { return nil }
        ports = match
      default: return nil
      }
      offset = end
    }
    guard offset == bytes.count, let order else { return nil }
    self.order = order
  }

  private static func match(_ value: UnsafeRawBufferPointer, _ family: Family) -> (any Match)? {
    guard Int(value[0]) < portMatches.count else { return nil }
    let bytes = Array(value.dropFirst())
    var reader = ByteReader(bytes.span.bytes)
    do throws(WireError) {
      let match: any Match
      switch value[0] {
      case 0: match = try Multiport(decoding: &reader, revision: 1, family: family)
      case 1: match = try TCP(decoding: &reader, revision: 0, family: family)
      default: match = try UDP(decoding: &reader, revision: 0, family: family)
      }
      try reader.finish()
      return match
    } catch {
      return nil
    }
  }
}
