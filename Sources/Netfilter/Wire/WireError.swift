/// Bytes that are not what their type says: where, and what was expected there.
public struct WireError: Error, Hashable, Sendable {
  public enum Reason: Hashable, Sendable {
    /// The bytes ended inside the field.
    case truncated
    /// The bytes went on after the last field.
    case trailing(bytes: Int)
    /// The field holds a value that its type does not know.
    case invalid
  }

  /// Byte offset in the structure being read.
  public let offset: Int
  /// The kernel's name for the field.
  public let field: String
  public let reason: Reason

  package init(offset: Int, field: String, reason: Reason) {
    self.offset = offset
    self.field = field
    self.reason = reason
  }
}

extension WireError: CustomStringConvertible {
  public var description: String {
    switch reason {
    case .truncated: "the bytes end inside '\(field)' at offset \(offset)"
    case .trailing(let bytes): "\(bytes) bytes are left over at offset \(offset)"
    case .invalid: "'\(field)' at offset \(offset) holds a value that it cannot have"
    }
  }
}
