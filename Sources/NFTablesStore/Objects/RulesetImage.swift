/// What nf_tables holds, or chosen tables of it, as it was in one generation: every object with all its attributes, so
/// that it can be put back as it was. Handles are not part of it; the kernel gives new ones.
package struct RulesetImage: Hashable, Sendable {
  /// The number of changes that nf_tables had seen.
  package var generation: UInt32
  /// In the order in which the kernel lists them.
  package var tables: [Table] = []

  package init(generation: UInt32, tables: [Table] = []) {
    self.generation = generation
    self.tables = tables
  }

  /// A table by family and name.
  package struct ID: Hashable, Sendable, CustomStringConvertible {
    package let family: NFTFamily
    package let name: ObjectName
    package init(_ family: NFTFamily, _ name: ObjectName) {
      self.family = family
      self.name = name
    }
    package var description: String { "\(family) \(name)" }
  }

  /// `NFTA_TABLE_*`, and what is in the table, each kind in the kernel's order.
  package struct Table: Hashable, Sendable {
    package let id: ID
    package let attributes: Attributes
    package var chains: [Chain] = []
    package var sets: [ElementSet] = []
    package var objects: [StatefulObject] = []
    package var flowtables: [Flowtable] = []
  }

  /// `NFTA_CHAIN_*`, and the rules in their order.
  package struct Chain: Hashable, Sendable {
    package let name: ObjectName
    package let attributes: Attributes
    package var rules: [Rule] = []
  }

  /// `NFTA_RULE_*`: expressions and user data.
  package struct Rule: Hashable, Sendable {
    package let attributes: Attributes
  }

  /// `NFTA_SET_*`: a set or map, with a name or of one rule, and its elements.
  package struct ElementSet: Hashable, Sendable {
    package let name: ObjectName
    package let attributes: Attributes
    package var elements: [Element] = []
  }

  /// `NFTA_SET_ELEM_*`
  package struct Element: Hashable, Sendable {
    package let attributes: Attributes
  }

  /// `NFTA_OBJ_*`: a counter, quota, limit, helper of connection tracking and others, with what it has counted.
  package struct StatefulObject: Hashable, Sendable {
    package let name: ObjectName
    package let attributes: Attributes
  }

  /// `NFTA_FLOWTABLE_*`
  package struct Flowtable: Hashable, Sendable {
    package let name: ObjectName
    package let attributes: Attributes
  }
}

/// A family of nf_tables (`NFPROTO_*`, linux/netfilter.h), by the name that nft(8) gives it.
package struct NFTFamily: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  package static let inet = Self(rawValue: 1)
  package static let ip = Self(rawValue: 2)
  package static let arp = Self(rawValue: 3)
  package static let netdev = Self(rawValue: 5)
  package static let bridge = Self(rawValue: 7)
  package static let ip6 = Self(rawValue: 10)

  private static let names: [(Self, String)] = [
    (.inet, "inet"), (.ip, "ip"), (.arp, "arp"), (.netdev, "netdev"), (.bridge, "bridge"), (.ip6, "ip6"),
  ]

  package static var allNames: [String] { names.map(\.1) }

  package init?(_ name: String) {
    guard let known = Self.names.first(where: { $0.1 == name }) else { return nil }
    self = known.0
  }

  package var description: String { Self.names.first { $0.0 == self }?.1 ?? "family \(rawValue)" }
}

/// Which tables of nf_tables are meant.
package struct ImageSelection: Hashable, Sendable {
  /// Tables by name, and whole families; both empty stands for everything.
  package var tables: [RulesetImage.ID] = []
  package var families: [NFTFamily] = []

  package static let all = ImageSelection()

  package init(tables: [RulesetImage.ID] = [], families: [NFTFamily] = []) {
    self.tables = tables
    self.families = families
  }

  package var isAll: Bool { tables.isEmpty && families.isEmpty }

  package func contains(_ id: RulesetImage.ID) -> Bool {
    isAll || tables.contains(id) || families.contains(id.family)
  }
}

extension RulesetImage {
  package subscript(id: ID) -> Table? { tables.first { $0.id == id } }

  /// The part of it that is chosen.
  package func selecting(_ selection: ImageSelection) -> RulesetImage {
    RulesetImage(generation: generation, tables: tables.filter { selection.contains($0.id) })
  }
}
