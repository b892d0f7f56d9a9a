/// User data for cloud-init, to be copied from and given to a new machine.
enum CloudInitHook {
  static func file(_ program: HookProgram) -> HookFile {
    let text = """
      #cloud-config
      \(SystemHook.cloudInit.heading)
      # User data for a machine whose image has \(program.path). The rules are committed once, late in the first
      # start, and loaded before the network in every later one. Put your own in place of these.
      write_files:
        - path: /etc/firebreak/rules.v4
          permissions: "0600"
          content: |
            *filter
            :INPUT DROP [0:0]
            :FORWARD DROP [0:0]
            :OUTPUT ACCEPT [0:0]
            -A INPUT -i lo -j ACCEPT
            -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
            -A INPUT -p icmp -j ACCEPT
            -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
            COMMIT
        - path: /etc/firebreak/rules.v6
          permissions: "0600"
          content: |
            *filter
            :INPUT DROP [0:0]
            :FORWARD DROP [0:0]
            :OUTPUT ACCEPT [0:0]
            -A INPUT -i lo -j ACCEPT
            -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
            -A INPUT -p ipv6-icmp -j ACCEPT
            -A INPUT -p udp -m udp --sport 547 --dport 546 -j ACCEPT
            -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
            COMMIT
      runcmd:
        - \(program.yaml("hook", "install", "systemd"))
        - \(program.yaml("apply", "-m", "cloud-init", "/etc/firebreak/rules.v4", "/etc/firebreak/rules.v6"))

      """
    return HookFile("/usr/share/doc/firebreak/examples/cloud-init.yaml", .cloudInit, text)
  }
}
