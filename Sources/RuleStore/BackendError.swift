public import Netfilter

/// Why a backend did not do what it was asked, as a sentence somebody can act on.
public struct BackendError: Error, Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    /// Not root, or not the right to administer this network namespace.
    case notPermitted
    /// The kernel lacks a table, a family or an extension.
    case unsupported
    /// Somebody else holds the lock.
    case busy
    /// The rules are no longer those that were read; nothing was changed.
    case stale
    /// The kernel refused it; nothing was changed.
    case refused
    /// The kernel refused it half-way and putting the first half back failed too: it holds a mixture.
    case putBackFailed
    /// The kernel's answer got lost, and so did every attempt to look: it holds the old rules or the new ones.
    case unknown
    /// Anything else that a system call reported.
    case system
  }

  public var kind: Kind
  public var message: String
  public var hint: String?
  /// The rule that the kernel refused, where it is known.
  public var culprit: Culprit?
  /// The table it is about, where it is about one.
  public var table: TableID?
  /// The system's error number, 0 where none applies.
  public var code: Int32

  /// A rule by its place.
  public struct Culprit: Hashable, Sendable {
    public let table: TableID
    public let chain: ChainName
    /// From 1.
    public let ruleNumber: Int
    /// Where it was written, where that is known.
    public let position: SourcePosition?
    /// The rule as iptables-save prints it.
    public let text: String

    package init(table: TableID, chain: ChainName, ruleNumber: Int, position: SourcePosition?, text: String) {
      self.table = table
      self.chain = chain
      self.ruleNumber = ruleNumber
      self.position = position
      self.text = text
    }
  }

  package init(
    _ kind: Kind, _ message: String, hint: String? = nil, table: TableID? = nil, culprit: Culprit? = nil,
    code: Int32 = 0
  ) {
    self.table = table
    self.kind = kind
    self.message = message
    self.hint = hint
    self.culprit = culprit
    self.code = code
  }
}

extension BackendError: CustomStringConvertible {
  public var description: String {
    var text = message
    if let culprit {
      text += "\n    \(culprit.table), chain \(culprit.chain), rule \(culprit.ruleNumber)"
      text += ": \(culprit.text)"
    }
    if let hint { text += "\n    \(hint)" }
    return text
  }
}
