/// How a table stands in a kernel that can hold the same rules in more than one way.
package enum TableShape: UInt8, Hashable, Sendable {
  /// One rule each.
  case linear = 0
  /// Looked up in maps.
  case compiled = 1
  /// The same, and what both families say alike stands once.
  case shared = 2
}
