/// The name of a chain: 1 to 28 bytes (`XT_EXTENSION_MAXNAMELEN` less its terminator, linux/netfilter/x_tables.h).
public struct ChainName: Hashable, Sendable {
  public let text: String

  /// Why a text cannot name a chain.
  public enum Problem: Error, Hashable, Sendable {
    case empty
    case tooLong(bytes: Int)
    case startsWithSign
    case containsBlank
    case reserved
  }

  /// The longest name, in bytes.
  public static let maxBytes = 28

  /// - Throws: ``Problem`` when the text is empty, longer than 28 bytes, begins with `-` or `!`, holds a blank
  ///   or control byte, or is a verdict (`ACCEPT`, `DROP`, `QUEUE`, `RETURN`).
  public init(_ text: String) throws(Problem) {
    guard !text.isEmpty else { throw .empty }
    guard text.utf8.count <= Self.maxBytes else { throw .tooLong(bytes: text.utf8.count) }
    guard !text.hasPrefix("-"), !text.hasPrefix("!") else { throw .startsWithSign }
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else { throw .containsBlank }
    guard Verdict(label: text) == nil else { throw .reserved }
    self.text = text
  }

  /// A name that the kernel already holds, whatever it looks like.
  package init(unchecked text: String) { self.text = text }

  public static let prerouting = ChainName(unchecked: "PREROUTING")
  public static let input = ChainName(unchecked: "INPUT")
  public static let forward = ChainName(unchecked: "FORWARD")
  public static let output = ChainName(unchecked: "OUTPUT")
  public static let postrouting = ChainName(unchecked: "POSTROUTING")
}

extension ChainName: Comparable {
  /// Byte order, the order in which user chains stand in a table.
  public static func < (a: ChainName, b: ChainName) -> Bool {
    a.text.utf8.lexicographicallyPrecedes(b.text.utf8)
  }
}

extension ChainName: ExpressibleByStringLiteral {
  /// - Precondition: the literal is a valid name.
  public init(stringLiteral literal: String) {
    guard let name = try? ChainName(literal) else {
      preconditionFailure("'\(literal)' cannot name a chain")
    }
    self = name
  }
}

extension ChainName: CustomStringConvertible {
  public var description: String { text }
}

extension ChainName.Problem: CustomStringConvertible {
  public var description: String {
    switch self {
    case .empty: "a chain name cannot be empty"
    case .tooLong(let bytes): "the chain name has \(bytes) bytes, the kernel keeps \(ChainName.maxBytes)"
    case .startsWithSign: "a chain name cannot begin with '-' or '!'"
    case .containsBlank: "a chain name cannot hold blanks or control characters"
    case .reserved: "the name is a verdict of the kernel and cannot name a chain"
    }
  }
}
