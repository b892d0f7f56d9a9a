internal import CNFTables
internal import Glibc
internal import Netfilter

/// What a netlink call reported.
package struct NetlinkFailure: Error {
  package enum Operation: Sendable {
    case open
    case send
    case receive
    /// The kernel's answer to a request.
    case answer
    /// What was read changed while it was being read, or did not fit into the socket's buffer.
    case interrupted
  }

  package let operation: Operation
  package let code: Int32

  package init(_ operation: Operation, _ code: Int32) {
    self.operation = operation
    self.code = code
  }
}

/// A socket to nfnetlink in the network namespace of the thread that opens it. The kernel does what a message asks
/// inside the call that sends it; the answers then wait in the socket.
struct NetlinkSocket: ~Copyable {
  private let raw: OpaquePointer
  private let port: UInt32
  private var sequence: UInt32
  private let buffer: UnsafeMutableRawBufferPointer

  /// The kernel puts no more than 32 KiB into one answer to a dump.
  private static let receiveSize = 64 << 10
  /// Room for the answers to a batch whose every message is refused.
  private static let receiveQueue: Int32 = 4 << 20
  /// How long an answer may take that should be there already.
  private static let answerLimit = timeval(tv_sec: 30, tv_usec: 0)
  /// An error code of the kernel that user space has no name for: the batch's generation is no longer the present one.
  static let restartNeeded: Int32 = 85

  /// - Parameter receiveQueue: how many bytes of answers may wait; nil for as many as are of use.
  init(_ receiveQueue: Int32? = nil) throws(NetlinkFailure) {
    guard let raw = mnl_socket_open2(NETLINK_NETFILTER, Int32(SOCK_CLOEXEC.rawValue)) else {
      throw NetlinkFailure(.open, errno)
    }
    guard mnl_socket_bind(raw, 0, pid_t(MNL_SOCKET_AUTOPID)) == 0 else {
      let code = errno
      mnl_socket_close(raw)
      throw NetlinkFailure(.open, code)
    }
    self.raw = raw
    port = mnl_socket_get_portid(raw)
    sequence = UInt32(truncatingIfNeeded: time(nil)) & 0x3fff_ffff | 1
    buffer = .allocate(byteCount: Self.receiveSize, alignment: 8)
    let descriptor = mnl_socket_get_fd(raw)
    var limit = Self.answerLimit
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    for option in [NETLINK_EXT_ACK, NETLINK_CAP_ACK] {
      var on: Int32 = 1
      setsockopt(descriptor, SOL_NETLINK, option, &on, socklen_t(MemoryLayout<Int32>.size))
    }
    Self.enlarge(descriptor, [SO_RCVBUFFORCE, SO_RCVBUF], to: receiveQueue ?? Self.receiveQueue)
  }

  deinit {
    mnl_socket_close(raw)
    buffer.deallocate()
  }

  /// Closes it without waiting for what the kernel still does after rules were taken out.
  consuming func leave() {
    guard let left = LeftFile.send(mnl_socket_get_fd(raw)) else { return }
    Self.close(self)
    left.collect()
  }

  private static func close(_ socket: consuming NetlinkSocket) {}

  /// The first option needs a right that root in a container may lack, the second stops at a limit of the system.
  private static func enlarge(_ descriptor: Int32, _ options: [Int32], to size: Int32) {
    for option in options {
      var size = size
      if setsockopt(descriptor, SOL_SOCKET, option, &size, socklen_t(MemoryLayout<Int32>.size)) == 0 { return }
    }
  }

  /// `SO_NETNS_COOKIE` (asm-generic/socket.h, Linux 5.14).
  private static let namespaceCookieOption: Int32 = 71

  /// A number that no other network namespace has had since the machine started; nil where the kernel gives none.
  var namespaceCookie: UInt64? {
    var cookie: UInt64 = 0
    var size = socklen_t(MemoryLayout<UInt64>.size)
    guard getsockopt(mnl_socket_get_fd(raw), SOL_SOCKET, Self.namespaceCookieOption, &cookie, &size) == 0,
      size == MemoryLayout<UInt64>.size, cookie != 0
    else { return nil }
    return cookie
  }

  /// A generation of this network namespace, told apart from all others; nil where the kernel cannot.
  func place(_ generation: UInt32) -> RuleMemory.Moment? {
    namespaceCookie.map { RuleMemory.Moment(namespace: $0, generation: generation) }
  }

  /// Waits until no commit of anybody is under way.
  ///
  /// The kernel counts a new generation before it shows it, so one that has just begun to be counted may still look like
  /// the one before. Who begins a batch waits for the commit before him, and one that was made for another generation is
  /// refused then, without any work. When the generation is the same before and after this, it is shown too.
  mutating func awaitCommits(not generation: UInt32) throws(NetlinkFailure) {
    var out = ByteWriter()
    out.write(UInt32(0))
    out.write(UInt16(truncatingIfNeeded: NFNL_MSG_BATCH_BEGIN))
    out.write(UInt16(truncatingIfNeeded: NLM_F_REQUEST))
    out.write(takeSequence(1))
    out.write(UInt32(0))
    out.write(UInt8(0))
    out.write(UInt8(NFNETLINK_V0))
    out.write(UInt16(NFNL_SUBSYS_NFTABLES).bigEndian)
    out.put(NFNL_BATCH_GENID, big: generation ^ 0x8000_0000)
    out.patch(UInt32(out.count), at: 0)
    try send(out.written)
    discardAnswer()
  }

  /// So many sequence numbers in a row that no other message has, from the returned one on.
  mutating func takeSequence(_ count: Int) -> UInt32 {
    defer { sequence &+= UInt32(truncatingIfNeeded: count) }
    return sequence
  }

  // MARK: Sending

  /// Sends bytes of any size as one datagram.
  func send(_ bytes: UnsafeRawBufferPointer) throws(NetlinkFailure) {
    let descriptor = mnl_socket_get_fd(raw)
    guard bytes.count < Int(Int32.max) / 2 else { throw NetlinkFailure(.send, EMSGSIZE) }
    Self.enlarge(descriptor, [SO_SNDBUFFORCE, SO_SNDBUF], to: Int32(bytes.count + 4096))
    while true {
      let sent = mnl_socket_sendto(raw, bytes.baseAddress, bytes.count)
      guard sent < 0 else { return }
      let code = errno
      guard code == EINTR else { throw NetlinkFailure(.send, code) }
    }
  }

  // MARK: Receiving

  /// One message of an answer.
  struct Message {
    let type: Int32
    let flags: Int32
    let sequence: UInt32
    /// Behind the netlink header.
    let payload: UnsafeRawBufferPointer
    /// With the netlink header, as libnftnl wants it.
    let start: UnsafePointer<nlmsghdr>
  }

  /// Reads answers until `body` returns false.
  /// - Throws: what `body` throws; ``NetlinkFailure`` with ENOBUFS when answers were lost, EAGAIN when none came.
  func receive(_ body: (Message) throws(NetlinkFailure) -> Bool) throws(NetlinkFailure) {
    while true {
      let count = mnl_socket_recvfrom(raw, buffer.baseAddress, buffer.count)
      guard count >= 0 else {
        let code = errno
        if code == EINTR { continue }
        throw NetlinkFailure(.receive, code)
      }
      var rest = Int32(count)
      var header = UnsafePointer(buffer.baseAddress!.assumingMemoryBound(to: nlmsghdr.self))
      while mnl_nlmsg_ok(header, rest) {
        let head = header.pointee
        let message = Message(
          type: Int32(head.nlmsg_type), flags: Int32(head.nlmsg_flags), sequence: head.nlmsg_seq,
          payload: UnsafeRawBufferPointer(
            start: UnsafeRawPointer(header) + MemoryLayout<nlmsghdr>.size,
            count: Int(head.nlmsg_len) - MemoryLayout<nlmsghdr>.size),
          start: header)
        if head.nlmsg_pid == port, try !body(message) { return }
        header = UnsafePointer(mnl_nlmsg_next(header, &rest))
      }
    }
  }

  /// From here on ``receive(_:)`` gives what is there, and EAGAIN instead of waiting for more.
  func stopWaiting() {
    let descriptor = mnl_socket_get_fd(raw)
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
  }

  /// Takes an answer out that nobody needs, if it has come: it would take the place of others.
  func discardAnswer() {
    _ = recv(mnl_socket_get_fd(raw), buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
  }

  // MARK: Asking

  /// Asks for a list and calls `body` with each member.
  /// - Parameter request: one whole message with the flag `NLM_F_DUMP` and a sequence number taken for it.
  /// - Throws: ``NetlinkFailure`` of kind `interrupted` when the list changed meanwhile or parts of it were lost; all of
  ///   it has to be asked for again.
  func dump(_ request: UnsafeRawBufferPointer, sequence: UInt32, _ body: (Message) throws(NetlinkFailure) -> Void)
    throws(NetlinkFailure)
  {
    try send(request)
    var isInterrupted = false
    do throws(NetlinkFailure) {
      try receive { message throws(NetlinkFailure) in
        guard message.sequence == sequence else { return true }
        if message.flags & NLM_F_DUMP_INTR != 0 { isInterrupted = true }
        switch message.type {
        case NLMSG_DONE: return false
        case NLMSG_ERROR:
          let code = message.errorCode
          guard code != 0 else { return false }
          throw NetlinkFailure(.answer, code)
        default:
          try body(message)
          return true
        }
      }
    } catch {
      guard error.operation == .receive, error.code == ENOBUFS else { throw error }
      throw NetlinkFailure(.interrupted, error.code)
    }
    if isInterrupted { throw NetlinkFailure(.interrupted, EINTR) }
  }
}

extension NetlinkSocket.Message {
  /// Of a message of type `NLMSG_ERROR` (`struct nlmsgerr`) or the end of a list; 0 is an acknowledgement.
  var errorCode: Int32 {
    guard payload.count >= 4 else { return EBADMSG }
    return -payload.loadUnaligned(as: Int32.self)
  }

  /// The kernel's own words about an error (`NLMSGERR_ATTR_MSG`), where it says any.
  var errorText: String? {
    let fixed = 4 + MemoryLayout<nlmsghdr>.size
    guard flags & NLM_F_ACK_TLVS != 0, flags & NLM_F_CAPPED != 0, payload.count > fixed,
      var fields = try? AttributeReader(UnsafeRawBufferPointer(rebasing: payload[fixed...]))
    else { return nil }
    return try? fields.text(NLMSGERR_ATTR_MSG)
  }
}
