internal import Glibc

/// Why a command on a table was not carried out, in the words of iptables(8).
package struct CommandRefusal: Error {
  /// The system's error number, 0 where none applies.
  package let code: Int32
  package let reason: String
  package var hint: String?
  package var source = Source.command

  /// Who refused it.
  package enum Source: Sendable {
    /// What carries commands out, before anything is committed, or libiptc in committing.
    case command
    /// A transaction of nf_tables.
    case transaction
    /// What puts rules into the kernel's form: there is none for this one.
    case form
  }

  package init(code: Int32, reason: String, hint: String? = nil, source: Source = .command) {
    (self.code, self.reason, self.hint, self.source) = (code, reason, hint, source)
  }

  /// What iptables says when `-C` or `-D` find no such rule.
  package static let noSuchRule = CommandRefusal(
    code: ENOENT, reason: "Bad rule (does a matching rule exist in that chain?)")

  /// What iptables says of a chain that is not there.
  package static let noSuchChain = CommandRefusal(code: ENOENT, reason: "No chain/target/match by that name")
}
