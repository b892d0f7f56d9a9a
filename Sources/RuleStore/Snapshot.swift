public import Netfilter

/// What the kernel held at one moment.
public struct Snapshot: Sendable {
  /// The tables that were read, in the kernel's order.
  public let ruleset: Ruleset
  /// Every table that existed, read or not, in the kernel's order.
  public let existing: [TableID]
  public let stamp: Stamp
  /// Tables of which something was left out that iptables does not know.
  package let incomplete: Set<TableID>

  /// What makes a snapshot comparable with the kernel later. A backend makes and reads it; its value means nothing elsewhere.
  public struct Stamp: Hashable, Sendable {
    public let value: UInt64
    package init(_ value: UInt64) { self.value = value }
  }

  package init(ruleset: Ruleset, existing: [TableID], stamp: Stamp, incomplete: Set<TableID> = []) {
    self.incomplete = incomplete
    self.ruleset = ruleset
    self.existing = existing
    self.stamp = stamp
  }
}
