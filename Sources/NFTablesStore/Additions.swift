package import Netfilter

/// The new rules of a table in a batch, in the order in which the kernel makes them.
package struct Additions {
  package struct Member {
    let chain: ChainName
    let number: Int
    /// The handle of the rule that it replaces.
    let replaced: UInt64?

    package init(chain: ChainName, number: Int, replaced: UInt64?) {
      self.chain = chain
      self.number = number
      self.replaced = replaced
    }
  }

  /// A message of the batch whose rule the kernel is to send back.
  private struct Echo {
    /// The place of the message, and that of its rule among the members.
    let message: Int
    let member: Int
    /// Where in the bytes the message begins.
    let offset: Int
  }

  package private(set) var members: [Member] = []
  /// The first and the last that are added, and that replace another.
  private var added: (first: Echo, last: Echo)?
  private var replacing: (first: Echo, last: Echo)?

  package init() {}

  /// Where in the batch's bytes the messages begin whose rules the kernel is to send back.
  var offsets: [Int] {
    [added, replacing].compactMap { $0 }.flatMap { [$0.first.offset, $0.last.offset] }
  }

  /// - Parameters:
  ///   - message: the place of its message in the batch.
  ///   - offset: where in the bytes the message begins.
  package mutating func note(_ member: Member, message: Int, offset: Int) {
    let echo = Echo(message: message, member: members.count, offset: offset)
    if member.replaced == nil {
      added = (added?.first ?? echo, echo)
    } else {
      replacing = (replacing?.first ?? echo, echo)
    }
    members.append(member)
  }

  /// The handles of all members. The kernel counts up for each rule that it makes; one that replaces another has that one's
  /// handle in some kernels and a new one in others. What the first and the last have tells which it is.
  /// - Parameter echoes: handles by the places of messages.
  /// - Returns: nil where the echoes fit neither.
  package func handles(_ echoes: [Int: UInt64]) -> [UInt64]? {
    var known: [Int: UInt64] = [:]
    for echo in [added?.first, added?.last, replacing?.first, replacing?.last].compactMap({ $0 }) {
      guard let handle = echoes[echo.message], handle > 0, handle < .max / 2 else { return nil }
      known[echo.member] = handle
    }
    for keepsHandles in [true, false] {
      var next = Self.start(known, members, keepsHandles)
      var result: [UInt64] = []
      for member in members {
        if keepsHandles, let handle = member.replaced {
          result.append(handle)
        } else {
          result.append(next)
          next += 1
        }
      }
      if known.allSatisfy({ result[$0.key] == $0.value }) { return result }
    }
    return nil
  }

  /// The handle of the first member that has a new one.
  private static func start(_ known: [Int: UInt64], _ members: [Member], _ keepsHandles: Bool) -> UInt64 {
    known.filter { !keepsHandles || members[$0.key].replaced == nil }.min { $0.key < $1.key }?.value ?? 0
  }
}
