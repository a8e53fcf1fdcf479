;; A Guix System with the proxy's service, for tests.
(use-modules (gnu) (gnu services base) (trustix-proxy))

;; Guix 1.2.0 has one target.
(define boot
  (eval `(bootloader-configuration
          (bootloader grub-bootloader)
          ,(if (module-variable (resolve-interface '(gnu bootloader)) 'bootloader-configuration-targets)
               '(targets '("/dev/null"))
               '(target "/dev/null")))
        (current-module)))

(operating-system
  (host-name "client")
  (timezone "Etc/UTC")
  (locale "en_US.utf8")
  (bootloader boot)
  (file-systems (cons (file-system (device "none") (mount-point "/") (type "tmpfs")) %base-file-systems))
  (services
   (cons (service trustix-proxy-service-type
                  (trustix-proxy-configuration
                   (program "/opt/trustix-proxy/trustix-proxy")
                   (config-file (plain-file "serve.json" "{}"))))
         (modify-services %base-services
           (guix-service-type config =>
             (guix-through config "http://127.0.0.1:8080"
                           (plain-file "trustix-proxy.pub" "(public-key (ecc (curve \"NIST P-256\") (q #04#)))")))))))
