/// Something that a commit changes together with tables of iptables: a set (ipset(8)), or a table of nf_tables that is none
/// of iptables'.
public struct Companion: Hashable, Comparable, Sendable, CustomStringConvertible {
  public enum Kind: UInt8, Hashable, Sendable {
    case set = 1
    case table = 2
  }

  public let kind: Kind
  /// A set's name; a table's family and name, `inet filter`.
  public let name: String

  package init(_ kind: Kind, _ name: String) {
    self.kind = kind
    self.name = name
  }

  public static func < (one: Companion, other: Companion) -> Bool {
    (one.kind.rawValue, one.name) < (other.kind.rawValue, other.name)
  }

  public var description: String {
    switch kind {
    case .set: "set \(name)"
    case .table: "nf_tables table \(name)"
    }
  }
}

/// What becomes of a companion.
public struct CompanionChange: Hashable, Sendable {
  public let companion: Companion
  /// What it held, in a form that only its ``CompanionStore`` reads; nil where it was not there.
  package let before: [UInt8]?
  package let after: [UInt8]?
  /// The difference that was asked for, whatever the kernel holds besides.
  package let asked: Difference

  package struct Difference: Hashable, Sendable {
    package let before: [UInt8]?
    package let after: [UInt8]?
  }

  package init(_ companion: Companion, before: [UInt8]?, after: [UInt8]?) {
    self.init(companion, before: before, after: after, asked: Difference(before: before, after: after))
  }

  private init(_ companion: Companion, before: [UInt8]?, after: [UInt8]?, asked: Difference) {
    self.companion = companion
    self.before = before
    self.after = after
    self.asked = asked
  }

  /// The same carried out on what the kernel holds.
  package func fitted(before: [UInt8]?, after: [UInt8]?) -> CompanionChange {
    CompanionChange(companion, before: before, after: after, asked: asked)
  }

  public var isMade: Bool { before == nil }
  public var isRemoved: Bool { after == nil }

  /// The way back.
  package var reversed: CompanionChange { CompanionChange(companion, before: after, after: before) }
}

extension [CompanionChange] {
  package func of(_ kind: Companion.Kind) -> [CompanionChange] { filter { $0.companion.kind == kind } }

  /// The way back from all of them, last first.
  package var wayBack: [CompanionChange] { reversed().map(\.reversed) }
}
