internal import CNFTables
internal import Netfilter

extension NetlinkSocket {
  /// Asks nf_tables and calls `each` with each answer.
  /// - Parameter attributes: which objects are asked for.
  mutating func ask(
    _ type: nf_tables_msg_types, flags: Int32 = NLM_F_DUMP, family: UInt8,
    _ attributes: (inout ByteWriter) -> Void = { _ in },
    each: (Message) throws(KernelReader.Problem) -> Void
  ) throws(KernelReader.Problem) {
    try ask(subsystem: NFNL_SUBSYS_NFTABLES, type.rawValue, flags: flags, family: family, attributes, each: each)
  }

  /// The same of any part of nfnetlink.
  mutating func ask(
    subsystem: Int32, _ type: UInt32, flags: Int32, family: UInt8, _ attributes: (inout ByteWriter) -> Void,
    each: (Message) throws(KernelReader.Problem) -> Void
  ) throws(KernelReader.Problem) {
    let sequence = takeSequence(1)
    var out = ByteWriter()
    out.write(UInt32(0))
    out.write(UInt16(subsystem << 8 | Int32(type)))
    out.write(UInt16(truncatingIfNeeded: NLM_F_REQUEST | NLM_F_ACK | flags))
    out.write(sequence)
    out.write(UInt32(0))
    out.write(family)
    out.write(UInt8(NFNETLINK_V0))
    out.write(UInt16(0))
    attributes(&out)
    out.patch(UInt32(out.count), at: 0)
    var problem: KernelReader.Problem?
    do throws(NetlinkFailure) {
      try dump(out.written, sequence: sequence) { message throws(NetlinkFailure) in
        guard problem == nil else { return }
        do throws(KernelReader.Problem) { try each(message) } catch { problem = error }
      }
    } catch {
      throw .netlink(error)
    }
    if let problem { throw problem }
  }
}

extension NetlinkSocket.Message {
  /// What follows `struct nfgenmsg`, and the family that it names.
  func object() throws(KernelReader.Problem) -> (attributes: UnsafeRawBufferPointer, family: NFTFamily) {
    guard payload.count >= 4 else { throw .unreadable("the kernel's answer is too short") }
    return (UnsafeRawBufferPointer(rebasing: payload[4...]), NFTFamily(rawValue: payload[0]))
  }
}
