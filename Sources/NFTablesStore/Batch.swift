internal import CNFTables
internal import Glibc
internal import Netfilter
internal import RuleStore

/// Messages that the kernel carries out all together or not at all, in the making.
struct Batch: ~Copyable {
  /// What a message is about, for the sentence about its refusal.
  enum Subject {
    case frame
    case table(TableID)
    case chain(TableID, ChainName)
    case deletion(TableID, ChainName)
    /// By its place in the plan's table.
    case rule(TableID, ChainName, Int)
    /// What is made of a chain's rules where they are compiled.
    case lookup(TableID, ChainName)
    case part(ImagePart)
  }

  /// In which form the tables are that the messages to come are about.
  var form = TableForm.linear

  private var out: ByteWriter
  private var subjects: [Subject] = []
  private var lastStart = 0
  private let firstSequence: UInt32
  /// Where libnftnl builds its messages: the longest name and the longest comment fit many times.
  private let scratch = Scratch()
  private var common: [Family: CommonRules] = [:]
  /// What the rule that was added last is called.
  private let revisions: KernelRevisions?
  private var previousReference: UInt32 = 0
  private var lastPrefix: (id: TableID, chain: ChainName, bytes: [UInt8])?
  private var additions: [TableID: Additions] = [:]

  /// Zeros between messages: libnftnl leaves what is between attributes as it is.
  private struct Scratch: ~Copyable {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 8)
    init() { bytes.initializeMemory(as: UInt8.self, repeating: 0) }
    deinit { bytes.deallocate() }
  }

  /// - Parameters:
  ///   - generation: the kernel refuses the batch when it is no longer this one.
  ///   - firstSequence: the messages are numbered from it on.
  ///   - revisions: which revisions of extensions to write; nil for the newest.
  init(generation: UInt32, firstSequence: UInt32, capacity: Int, revisions: KernelRevisions? = nil) {
    self.firstSequence = firstSequence
    self.revisions = revisions
    out = ByteWriter(capacity: capacity + 4096)
    frame(NFNL_MSG_BATCH_BEGIN) { $0.put(NFNL_BATCH_GENID, big: generation) }
  }

  /// How many messages there are, but for the first.
  var count: Int { subjects.count - 1 }

  var bytes: [UInt8] { out.bytes }

  private mutating func frame(_ type: Int32, _ body: (inout ByteWriter) -> Void) {
    message(type, flags: 0, family: 0, resource: UInt16(NFNL_SUBSYS_NFTABLES).bigEndian, .frame) {
      body(&$0)
    }
  }

  /// `struct nlmsghdr`, `struct nfgenmsg`, and what `body` writes.
  mutating func message(
    _ type: Int32, flags: Int32, family: UInt8, resource: UInt16 = 0, _ subject: Subject,
    _ body: (inout ByteWriter) -> Void
  ) {
    let start = begin(type, flags: flags, family: family, resource: resource)
    body(&out)
    end(start, subject)
  }

  private mutating func begin(_ type: Int32, flags: Int32, family: UInt8, resource: UInt16 = 0) -> Int {
    let start = out.count
    out.write(UInt32(0))
    out.write(UInt16(truncatingIfNeeded: type))
    out.write(UInt16(truncatingIfNeeded: NLM_F_REQUEST | flags))
    out.write(firstSequence &+ UInt32(truncatingIfNeeded: subjects.count))
    out.write(UInt32(0))
    out.write(family)
    out.write(UInt8(NFNETLINK_V0))
    out.write(resource)
    return start
  }

  private mutating func end(_ start: Int, _ subject: Subject) {
    out.patch(UInt32(out.count - start), at: start)
    lastStart = start
    subjects.append(subject)
  }

  static func type(_ message: nf_tables_msg_types) -> Int32 {
    NFNL_SUBSYS_NFTABLES << 8 | Int32(message.rawValue)
  }

  // MARK: Tables and chains, which libnftnl writes

  private mutating func object(
    _ message: nf_tables_msg_types, flags: Int32, _ family: UInt8, _ subject: Subject,
    _ build: (UnsafeMutablePointer<nlmsghdr>) -> Void
  ) {
    let header = nftnl_nlmsg_build_hdr(
      scratch.bytes.baseAddress!.assumingMemoryBound(to: CChar.self), UInt16(message.rawValue), UInt16(family), 0, 0)!
    build(header)
    let written = UnsafeMutableRawBufferPointer(rebasing: scratch.bytes[..<Int(header.pointee.nlmsg_len)])
    let attributes = UnsafeRawBufferPointer(rebasing: written[Self.headerSize...])
    self.message(Self.type(message), flags: flags, family: family, subject) { $0.write(attributes) }
    written.initializeMemory(as: UInt8.self, repeating: 0)
  }

  private static let headerSize = MemoryLayout<nlmsghdr>.size + MemoryLayout<nfgenmsg>.size

  mutating func create(_ id: TableID) {
    let form = form
    object(NFT_MSG_NEWTABLE, flags: NLM_F_CREATE, form.family(id), .table(id)) { header in
      let table = nftnl_table_alloc()!
      nftnl_table_set_str(table, UInt16(NFTNL_TABLE_NAME.rawValue), form.tableName(id))
      nftnl_table_set_u32(table, UInt16(NFTNL_TABLE_FLAGS.rawValue), 0)
      nftnl_table_nlmsg_build_payload(header, table)
      nftnl_table_free(table)
    }
  }

  /// Takes a table out with all that is in it.
  mutating func delete(_ id: TableID) {
    let name = form.tableName(id)
    message(Self.type(NFT_MSG_DELTABLE), flags: 0, family: form.family(id), .table(id)) { out in
      out.put(NFTA_TABLE_NAME, text: name)
    }
  }

  /// Makes a chain, a built-in one with its policy where iptables-nft puts it.
  mutating func create(_ chain: Chain, in id: TableID) {
    self.chain(NFT_MSG_NEWCHAIN, flags: NLM_F_CREATE, chain.name, in: id) { object in
      guard let hook = chain.hook else { return }
      let base = BaseChain(id.name, hook)
      nftnl_chain_set_u32(object, UInt16(NFTNL_CHAIN_HOOKNUM.rawValue), UInt32(hook.rawValue))
      nftnl_chain_set_s32(object, UInt16(NFTNL_CHAIN_PRIO.rawValue), base.priority)
      nftnl_chain_set_str(object, UInt16(NFTNL_CHAIN_TYPE.rawValue), base.type)
      Self.setPolicy(of: chain, object)
    }
  }

  /// Gives a built-in chain that is there the policy and the policy's counters of `chain`.
  mutating func setPolicy(of chain: Chain, in id: TableID) {
    self.chain(NFT_MSG_NEWCHAIN, flags: 0, chain.name, in: id) { Self.setPolicy(of: chain, $0) }
  }

  /// Makes a chain that only the compiled form of another needs.
  mutating func createHelper(_ name: ChainName, for chain: ChainName, in id: TableID) {
    self.chain(NFT_MSG_NEWCHAIN, flags: NLM_F_CREATE, name, in: id) { _ in }
  }

  /// Gives a chain another name, which its rules and those that lead to it do not notice.
  mutating func rename(_ handle: UInt64, to new: ChainName, in id: TableID) {
    let form = form
    message(Self.type(NFT_MSG_NEWCHAIN), flags: 0, family: form.family(id), .chain(id, new)) { out in
      out.put(NFTA_CHAIN_TABLE, text: form.tableName(id))
      out.put(NFTA_CHAIN_HANDLE, big: handle)
      out.put(NFTA_CHAIN_NAME, text: new.text)
    }
  }

  mutating func delete(_ chain: ChainName, in id: TableID) {
    self.chain(NFT_MSG_DELCHAIN, flags: 0, chain, in: id) { _ in }
  }

  private static func setPolicy(of chain: Chain, _ object: OpaquePointer) {
    nftnl_chain_set_u32(
      object, UInt16(NFTNL_CHAIN_POLICY.rawValue), UInt32(chain.policy?.verdict.rawValue ?? Verdict.accept.rawValue))
    nftnl_chain_set_u64(object, UInt16(NFTNL_CHAIN_PACKETS.rawValue), chain.policyCounters.packets)
    nftnl_chain_set_u64(object, UInt16(NFTNL_CHAIN_BYTES.rawValue), chain.policyCounters.bytes)
  }

  private mutating func chain(
    _ message: nf_tables_msg_types, flags: Int32, _ name: ChainName, in id: TableID, _ fill: (OpaquePointer) -> Void
  ) {
    let subject: Subject = message == NFT_MSG_DELCHAIN ? .deletion(id, name) : .chain(id, name)
    let form = form
    object(message, flags: flags, form.family(id), subject) { header in
      let chain = nftnl_chain_alloc()!
      nftnl_chain_set_str(chain, UInt16(NFTNL_CHAIN_TABLE.rawValue), form.tableName(id))
      nftnl_chain_set_str(chain, UInt16(NFTNL_CHAIN_NAME.rawValue), form.chainName(name, in: id).text)
      fill(chain)
      nftnl_chain_nlmsg_build_payload(header, chain)
      nftnl_chain_free(chain)
    }
  }

  // MARK: Rules

  /// Where a new rule comes in its chain.
  enum Place {
    case start
    case end
    /// Before the rule with this handle.
    case before(UInt64)
    /// In place of the rule with this handle.
    case instead(UInt64)
    /// Behind the new rule that was added last.
    case afterPrevious
  }

  /// - Parameters:
  ///   - number: of the rule in the plan's table, from 0.
  ///   - isReferred: whether the next rule comes ``Place/afterPrevious``.
  /// - Throws: when nf_tables has no form for the rule.
  mutating func add(
    _ number: Int, of chain: Chain, in id: TableID, at place: Place, isReferred: Bool
  ) throws(NFTRuleCodec.Unsupported) {
    let common = common(id.family)
    let prefix = prefix(id, chain.name)
    let reference = UInt32(truncatingIfNeeded: subjects.count)
    let begin = begin(Self.type(NFT_MSG_NEWRULE), flags: place.flags, family: id.family.rawValue)
    out.write(prefix)
    switch place {
    case .start, .end: break
    case .before(let handle): out.put(NFTA_RULE_POSITION, big: handle)
    case .instead(let handle): out.put(NFTA_RULE_HANDLE, big: handle)
    case .afterPrevious: out.put(NFTA_RULE_POSITION_ID, big: previousReference)
    }
    if isReferred { out.put(NFTA_RULE_ID, big: reference) }
    let start = out.count
    out.write(UInt16(0))
    out.write(UInt16(truncatingIfNeeded: NFTA_RULE_EXPRESSIONS.rawValue) | UInt16(NLA_F_NESTED))
    let proto = try Self.write(number, of: chain.rules, common, revisions, to: &out)
    out.patch(UInt16(truncatingIfNeeded: out.count - start), at: start)
    if let proto { Self.writeCompat(proto, to: &out) }
    end(begin, .rule(id, chain.name, number))
    previousReference = reference
    let message = subjects.count - 1
    let offset = lastStart
    let member = Additions.Member(chain: chain.name, number: number, replaced: place.replaced)
    additions[id, default: Additions()].note(member, message: message, offset: offset)
  }

  /// A rule whose handle nobody will ask for.
  /// - Parameters:
  ///   - number: of the rule in the plan's table, from 0.
  ///   - place: not in place of another rule, nor behind the previous one.
  ///   - userData: kept beside the rule.
  ///   - subject: the chain of the plan's table, where it is not `chain`.
  ///   - isOfBoth: whether a rule in a chain of both families is for packets of both, not only for those of the table's.
  mutating func add(
    _ expressions: [NFTExpression], proto: Negatable<IPProtocol>?, number: Int, to chain: ChainName, in id: TableID,
    at place: Place = .end, userData: [UInt8] = [], subject: ChainName? = nil, isOfBoth: Bool = false
  ) {
    let form = form
    message(
      Self.type(NFT_MSG_NEWRULE), flags: place.flags, family: form.family(id), .rule(id, subject ?? chain, number)
    ) { out in
      out.put(NFTA_RULE_TABLE, text: form.tableName(id))
      out.put(NFTA_RULE_CHAIN, text: form.chainName(chain, in: id).text)
      if case .before(let next) = place { out.put(NFTA_RULE_POSITION, big: next) }
      out.nest(NFTA_RULE_EXPRESSIONS) { out in
        if form == .shared, !isOfBoth {
          for expression in TableForm.guardExpressions(id.family) { ExpressionAttributes.write(expression, to: &out) }
        }
        for expression in expressions { ExpressionAttributes.write(form.inKernel(expression, in: id), to: &out) }
      }
      if !userData.isEmpty { out.put(NFTA_RULE_USERDATA, userData) }
      if let proto, expressions.contains(where: \.isOfXTables) { Self.writeCompat(proto, to: &out) }
    }
  }

  /// Extensions of xtables ask which protocol the rule is for.
  private static func writeCompat(_ proto: Negatable<IPProtocol>, to out: inout ByteWriter) {
    out.nest(NFTA_RULE_COMPAT) { out in
      out.put(NFTA_RULE_COMPAT_PROTO, big: UInt32(proto.value.rawValue))
      out.put(NFTA_RULE_COMPAT_FLAGS, big: proto.isInverted ? UInt32(NFT_RULE_COMPAT_F_INV.rawValue) : 0)
    }
  }

  /// The attributes with which all rules of a chain begin.
  private mutating func prefix(_ id: TableID, _ chain: ChainName) -> [UInt8] {
    if let last = lastPrefix, last.id == id, last.chain == chain { return last.bytes }
    var out = ByteWriter()
    out.put(NFTA_RULE_TABLE, text: id.name.rawValue)
    out.put(NFTA_RULE_CHAIN, text: chain.text)
    lastPrefix = (id, chain, out.bytes)
    return out.bytes
  }

  private static func write(
    _ number: Int, of rules: RuleList, _ common: CommonRules, _ revisions: KernelRevisions?, to out: inout ByteWriter
  ) throws(NFTRuleCodec.Unsupported) -> Negatable<IPProtocol>? {
    if let written = common.write(number, of: rules, to: &out) { return written.proto }
    let rule = rules[number]
    let expressions = try NFTRuleCodec.expressions(for: rule, family: rules.family, registry: .standard) {
      revisions?.revision(of: $0, rules.family) ?? $0.revision(for: rules.family)
    }
    for expression in expressions { ExpressionAttributes.write(expression, to: &out) }
    return expressions.contains(where: \.isOfXTables) ? rule.proto : nil
  }

  private mutating func common(_ family: Family) -> CommonRules {
    if let known = common[family] { return known }
    let new = CommonRules(family: family, revisions: revisions)
    common[family] = new
    return new
  }

  /// - Parameter handle: nil for all rules of the chain.
  mutating func deleteRules(_ handle: UInt64?, of chain: ChainName, in id: TableID) {
    let form = form
    message(Self.type(NFT_MSG_DELRULE), flags: 0, family: form.family(id), .deletion(id, chain)) { out in
      out.put(NFTA_RULE_TABLE, text: form.tableName(id))
      out.put(NFTA_RULE_CHAIN, text: form.chainName(chain, in: id).text)
      if let handle { out.put(NFTA_RULE_HANDLE, big: handle) }
    }
  }

  // MARK: Anything else

  /// A message about something of an image, with what `body` writes.
  mutating func add(
    _ type: nf_tables_msg_types, flags: Int32, _ family: NFTFamily, _ part: ImagePart,
    _ body: (inout ByteWriter) -> Void
  ) {
    message(Self.type(type), flags: flags, family: family.rawValue, .part(part), body)
  }

  // MARK: Ending

  /// - Parameter isTrial: leave out the end, without which the kernel tries everything and keeps nothing.
  consuming func seal(isTrial: Bool) -> SealedBatch {
    // The kernel tells errors unasked; this tells that there are none.
    let flags = UInt16(truncatingIfNeeded: NLM_F_REQUEST | NLM_F_ACK)
    let old = out.written.loadUnaligned(fromByteOffset: lastStart + 6, as: UInt16.self)
    out.patch(old | flags, at: lastStart + 6)
    for offset in additions.values.flatMap(\.offsets) {
      let old = out.written.loadUnaligned(fromByteOffset: offset + 6, as: UInt16.self)
      out.patch(old | UInt16(truncatingIfNeeded: NLM_F_ECHO), at: offset + 6)
    }
    let last = firstSequence &+ UInt32(truncatingIfNeeded: subjects.count - 1)
    if !isTrial { frame(NFNL_MSG_BATCH_END) { _ in } }
    return SealedBatch(out: out, subjects: subjects, additions: additions, first: firstSequence, last: last)
  }
}

extension Batch.Place {
  fileprivate var flags: Int32 {
    switch self {
    case .start, .before: NLM_F_CREATE
    case .end, .afterPrevious: NLM_F_CREATE | NLM_F_APPEND
    case .instead: NLM_F_REPLACE
    }
  }

  fileprivate var replaced: UInt64? { if case .instead(let handle) = self { handle } else { nil } }
}

extension NFTExpression {
  var isOfXTables: Bool {
    switch self {
    case .match, .target: true
    default: false
    }
  }
}

/// A batch that is ready to be sent.
struct SealedBatch: ~Copyable {
  private let out: ByteWriter
  private let subjects: [Batch.Subject]
  private let additions: [TableID: Additions]
  private let first: UInt32
  /// The message that the kernel acknowledges.
  private let last: UInt32

  init(
    out: consuming ByteWriter, subjects: [Batch.Subject], additions: [TableID: Additions], first: UInt32, last: UInt32
  ) {
    self.out = out
    self.subjects = subjects
    self.additions = additions
    self.first = first
    self.last = last
  }

  /// The first message that the kernel refused.
  struct Refusal: Error {
    let subject: Batch.Subject
    let code: Int32
    let text: String?
  }

  enum Problem: Error {
    case refused(Refusal)
    case netlink(NetlinkFailure)
  }

  /// What the kernel said of a batch that it carried out.
  struct Result {
    /// By table, the new rules and their handles; a table is missing where the kernel did not tell.
    var handles: [TableID: (members: [Additions.Member], handles: [UInt64])] = [:]
  }

  private struct Answers {
    var refusals: [UInt32: Refusal] = [:]
    /// The handles of rules that the kernel sent back, by their messages' places.
    var echoes: [Int: UInt64] = [:]
  }

  /// Sends it; the kernel has then carried it out, or throws.
  @discardableResult
  func send(through socket: borrowing NetlinkSocket) throws(Problem) -> Result {
    var answers = Answers()
    do throws(NetlinkFailure) {
      try socket.send(out.written)
      try receive(through: socket, &answers)
    } catch {
      guard error.operation == .receive, error.code == ENOBUFS else { throw .netlink(error) }
      // There were more refusals than fit. Those that came first are there.
      socket.stopWaiting()
      do throws(NetlinkFailure) { try receive(through: socket, &answers) } catch {}
      guard !answers.refusals.isEmpty else { throw .netlink(error) }
    }
    if let first = answers.refusals.min(by: { $0.key < $1.key }) { throw .refused(first.value) }
    var result = Result()
    for (id, table) in additions {
      if let handles = table.handles(answers.echoes) { result.handles[id] = (table.members, handles) }
    }
    return result
  }

  private func receive(through socket: borrowing NetlinkSocket, _ answers: inout Answers) throws(NetlinkFailure) {
    var found = answers
    defer { answers = found }
    try socket.receive { message throws(NetlinkFailure) in
      let place = message.sequence &- first
      guard Int(place) < subjects.count else { return true }
      if message.isRule, let handle = message.ruleHandle { found.echoes[Int(place)] = handle }
      guard message.type == NLMSG_ERROR else { return true }
      let code = message.errorCode
      if code != 0 {
        let refusal = Refusal(subject: subjects[Int(place)], code: code, text: message.errorText)
        found.refusals[place] = found.refusals[place] ?? refusal
      }
      // Answers come in the order of the messages; one about the frame stands for all.
      return message.sequence != last && place != 0
    }
  }
}

extension NetlinkSocket.Message {
  fileprivate var isRule: Bool { type == NFNL_SUBSYS_NFTABLES << 8 | Int32(NFT_MSG_NEWRULE.rawValue) }

  fileprivate var ruleHandle: UInt64? {
    guard payload.count >= 4, var fields = try? AttributeReader(UnsafeRawBufferPointer(rebasing: payload[4...])) else {
      return nil
    }
    return try? fields.big(NFTA_RULE_HANDLE)
  }
}
