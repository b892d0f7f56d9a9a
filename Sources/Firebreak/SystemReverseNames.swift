internal import Glibc
internal import Netfilter

/// The names that listings show, from the machine's own files and resolver.

/// The service at a port (getservbyport_r(3)).
@Sendable func serviceName(_ port: UInt16, _ proto: IPProtocol?) -> String? {
  let proto = proto.map { Names.wellKnown.displayName(of: $0) }
  return lookUp { buffer, size in
    var entry = servent()
    var found: UnsafeMutablePointer<servent>?
    let code = getservbyport_r(Int32(port.bigEndian), proto, &entry, buffer, size, &found)
    return (code, found.map { String(cString: $0.pointee.s_name) })
  }
}

/// The name of a host (getnameinfo(3)), else that of a network (getnetbyaddr_r(3), networks(5)).
@Sendable func hostName(_ address: IPAddress) -> String? {
  host(address) ?? (address.family == .ipv4 ? network(UInt32(truncatingIfNeeded: address.bits)) : nil)
}

private func host(_ address: IPAddress) -> String? {
  func name(_ socketAddress: UnsafePointer<sockaddr>, _ length: socklen_t) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST)) { buffer in
      let code = getnameinfo(socketAddress, length, buffer.baseAddress, socklen_t(buffer.count), nil, 0, NI_NAMEREQD)
      return code == 0 ? String(cString: buffer.baseAddress!) : nil
    }
  }
  switch address.family {
  case .ipv4:
    var socketAddress = sockaddr_in()
    socketAddress.sin_family = sa_family_t(AF_INET)
    socketAddress.sin_addr.s_addr = UInt32(truncatingIfNeeded: address.bits).bigEndian
    return withUnsafePointer(to: &socketAddress) { pointer in
      let size = socklen_t(MemoryLayout<sockaddr_in>.size)
      return pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name($0, size) }
    }
  case .ipv6:
    var socketAddress = sockaddr_in6()
    socketAddress.sin6_family = sa_family_t(AF_INET6)
    withUnsafeMutableBytes(of: &socketAddress.sin6_addr) {
      $0.storeBytes(of: address.bits.bigEndian, as: UInt128.self)
    }
    return withUnsafePointer(to: &socketAddress) { pointer in
      let size = socklen_t(MemoryLayout<sockaddr_in6>.size)
      return pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name($0, size) }
    }
  }
}

private func network(_ address: UInt32) -> String? {
  lookUp { buffer, size in
    var entry = netent()
    var found: UnsafeMutablePointer<netent>?
    var reason: Int32 = 0
    let code = getnetbyaddr_r(address, AF_INET, &entry, buffer, size, &found, &reason)
    return (code, found.map { String(cString: $0.pointee.n_name) })
  }
}

/// The name of a user (getpwuid_r(3)).
@Sendable func userName(_ number: UInt32) -> String? {
  lookUp { buffer, size in
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    let code = getpwuid_r(number, &entry, buffer, size, &found)
    return (code, found.map { String(cString: $0.pointee.pw_name) })
  }
}

/// The name of a group (getgrgid_r(3)).
@Sendable func groupName(_ number: UInt32) -> String? {
  lookUp { buffer, size in
    var entry = group()
    var found: UnsafeMutablePointer<group>?
    let code = getgrgid_r(number, &entry, buffer, size, &found)
    return (code, found.map { String(cString: $0.pointee.gr_name) })
  }
}
