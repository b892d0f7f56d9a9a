/// Counts the packet under a name of nfacct(8), and matches unless the counter has a quota that is not used up
/// (`struct xt_nfacct_match_info_v1`, linux/netfilter/xt_nfacct.h).
public struct Accounting: Match {
  public let account: AccountName

  public init(_ account: AccountName) { self.account = account }
}

/// The name of a counter, which has to be there when the rule is made.
public struct AccountName: Hashable, Sendable {
  public let text: String

  /// `NFACCT_NAME_MAX` less its terminator.
  public static let maxBytes = 31

  /// nil when the text is empty, longer than 31 bytes, or holds a line break or a zero.
  public init?(_ text: String) {
    let isLine = text.utf8.allSatisfy(canStandInText)
    guard !text.isEmpty, text.utf8.count <= Self.maxBytes, isLine else { return nil }
    self.text = text
  }
}

// MARK: Syntax

extension Accounting {
  public static let definition = ExtensionDefinition(
    "nfacct", summary: "count under a name", revisions: [0, 1],
    options: [
      OptionSpec("--nfacct-name", .string(maxBytes: AccountName.maxBytes), required: true, "name of the counter")
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let text = try options.string("--nfacct-name"), let name = AccountName(text) else {
      throw options.error("--nfacct-name", "a name is 1 to \(AccountName.maxBytes) bytes in one line")
    }
    account = name
  }

  /// With two blanks before the name, as iptables-save has them.
  public func print(to out: inout RuleWriter) {
    out.option("--nfacct-name")
    out.text.write(byte: UInt8(ascii: " "))
    out.quoted(account.text)
  }

  public func list(to out: inout RuleWriter) {
    out.word("nfacct-name ")
    out.quoted(account.text)
  }
}

// MARK: Kernel bytes

extension Accounting {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(text: account.text, size: AccountName.maxBytes + 1)
    out.zeros(8)  // the kernel's pointer
  }

  /// Revision 0 differs from 1 on 32-bit machines only.
  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool {
    guard revision == 0 else { return false }
    encode(to: &out, family: family)
    return true
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let field = try bytes.raw("name", count: AccountName.maxBytes + 1)
    let text = field.prefix { $0 != 0 }
    guard field[text.count...].allSatisfy({ $0 == 0 }), let string = String(validating: text, as: UTF8.self),
      let name = AccountName(string)
    else { throw bytes.invalid("name") }
    account = name
    try bytes.zeros("nfacct", 8)
  }
}

// MARK: Meaning

extension Accounting {
  public func matches(_ packet: Packet) -> Answer { .depends(on: "the quota of the counter") }
}
