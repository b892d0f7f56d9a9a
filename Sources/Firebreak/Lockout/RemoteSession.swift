internal import CLinux
internal import Glibc
public import Netfilter
internal import RuleStore

/// Somebody who works on this machine from another one: a TCP connection to its SSH server.
public struct RemoteSession: Hashable, Sendable {
  public let peer: IPAddress
  public let peerPort: UInt16
  public let local: IPAddress
  public let localPort: UInt16
  /// The interface that has the local address; `lo` where the peer is this machine too.
  public let interface: InterfaceName

  public init(peer: IPAddress, peerPort: UInt16, local: IPAddress, localPort: UInt16, interface: InterfaceName) {
    self.peer = peer
    self.peerPort = peerPort
    self.local = local
    self.localPort = localPort
    self.interface = interface
  }

  /// The caller's own session (`SSH_CONNECTION`, see ssh(1)) and every established connection that a process called sshd
  /// holds, in the calling thread's network namespace.
  public static var all: [RemoteSession] {
    let own = getenv("SSH_CONNECTION").map { String(cString: $0) }
    let connections = Connection.established
    guard own != nil || !connections.isEmpty else { return [] }
    let interfaces = LocalAddresses()
    var found: [RemoteSession] = []
    func add(_ peer: IPAddress, _ peerPort: UInt16, _ local: IPAddress, _ localPort: UInt16) {
      // What is not an address of this namespace is a session into another one.
      guard let interface = interfaces.interface(of: local, talkingTo: peer) else { return }
      let session = RemoteSession(
        peer: peer, peerPort: peerPort, local: local, localPort: localPort, interface: interface)
      if !found.contains(session) { found.append(session) }
    }
    if let own {
      let words = own.split(separator: " ")
      if words.count == 4, let peer = IPAddress(unmapping: words[0]), let local = IPAddress(unmapping: words[2]),
        let peerPort = UInt16(words[1]), let localPort = UInt16(words[3])
      {
        add(peer, peerPort, local, localPort)
      }
    }
    guard !connections.isEmpty else { return found }
    let served = RunningProcess.sockets(ofProcessesNamed: servers)
    for connection in connections where served.contains(UInt64(connection.inode)) {
      add(connection.peer, connection.peerPort, connection.local, connection.localPort)
    }
    return found
  }

  /// OpenSSH's server, its part for one session since version 9.8, and dropbear.
  private static let servers: Set<String> = ["sshd", "sshd-session", "dropbear"]
}

/// One established TCP connection.
private struct Connection {
  let peer: IPAddress
  let peerPort: UInt16
  let local: IPAddress
  let localPort: UInt16
  let inode: UInt32

  /// All of them; none where the kernel does not tell.
  static var established: [Connection] {
    var list: [Connection] = []
    withUnsafeMutablePointer(to: &list) { list in
      _ = fb_established_connections(
        { context, found in
          guard let found = found?.pointee, let list = context?.assumingMemoryBound(to: [Connection].self) else {
            return
          }
          var copy = found
          let isIPv6 = found.family == UInt8(AF_INET6)
          let (local, peer) = withUnsafeBytes(of: &copy) { bytes in
            (
              IPAddress(network: bytes, at: MemoryLayout<fb_connection>.offset(of: \.local)!, isIPv6: isIPv6),
              IPAddress(network: bytes, at: MemoryLayout<fb_connection>.offset(of: \.peer)!, isIPv6: isIPv6)
            )
          }
          list.pointee.append(
            Connection(
              peer: peer, peerPort: found.peer_port, local: local, localPort: found.local_port, inode: found.inode))
        }, list)
    }
    return list
  }
}

/// This namespace's own addresses (getifaddrs(3)).
private struct LocalAddresses {
  private var interfaces: [IPAddress: InterfaceName] = [:]

  init() {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return }
    defer { freeifaddrs(list) }
    var next = list
    while let entry = next?.pointee {
      next = entry.ifa_next
      guard let socketAddress = entry.ifa_addr, let name = InterfaceName(String(cString: entry.ifa_name)) else {
        continue
      }
      let bytes = UnsafeRawBufferPointer(start: socketAddress, count: MemoryLayout<sockaddr_in6>.size)
      switch Int32(socketAddress.pointee.sa_family) {
      case AF_INET:
        interfaces[IPAddress(network: bytes, at: MemoryLayout<sockaddr_in>.offset(of: \.sin_addr)!, isIPv6: false)] =
          name
      case AF_INET6:
        interfaces[IPAddress(network: bytes, at: MemoryLayout<sockaddr_in6>.offset(of: \.sin6_addr)!, isIPv6: true)] =
          name
      default: break
      }
    }
  }

  func interface(of local: IPAddress, talkingTo peer: IPAddress) -> InterfaceName? {
    guard let name = interfaces[local] else { return nil }
    return interfaces[peer] == nil ? name : InterfaceName("lo")
  }
}

extension IPAddress {
  /// An address in network order; an IPv4 address inside an IPv6 one (`::ffff:192.0.2.1`) is the former.
  fileprivate init(network bytes: UnsafeRawBufferPointer, at offset: Int, isIPv6: Bool) {
    guard isIPv6 else {
      self.init(ipv4: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
      return
    }
    let bits = UInt128(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt128.self))
    self = bits >> 32 == 0xffff ? IPAddress(ipv4: UInt32(truncatingIfNeeded: bits)) : IPAddress(ipv6: bits)
  }

  fileprivate init?(unmapping text: Substring) {
    let prefix = "::ffff:"
    self.init(text.hasPrefix(prefix) && text.contains(".") ? text.dropFirst(prefix.utf8.count) : text)
  }
}
