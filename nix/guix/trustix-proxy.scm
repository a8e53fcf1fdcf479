;;; trustix-proxy on Guix System: a service for the proxy, and guix-daemon behind it.
;;; Use it with: guix system reconfigure -L DIRECTORY-OF-THIS-FILE config.scm
;;;
;;; (use-modules (gnu) (trustix-proxy))
;;; (operating-system
;;;   …
;;;   (services
;;;    (cons (service trustix-proxy-service-type
;;;                   (trustix-proxy-configuration
;;;                    (program "/opt/trustix-proxy/trustix-proxy")
;;;                    (config-file "/etc/trustix-proxy.json")))
;;;          (modify-services %base-services
;;;            (guix-service-type config =>
;;;              (guix-through config "http://127.0.0.1:8080"
;;;                            (local-file "trustix-proxy.pub")))))))
;;;
;;; The published executable expects /lib64/ld-linux-x86-64.so.2, which Guix System lacks: run it with
;;; guix shell --container --emulate-fhs, or patch it with patchelf. Or run the proxy on another machine, and
;;; use guix-through alone.

(define-module (trustix-proxy)
  #:use-module (gnu packages admin)
  #:use-module (gnu services)
  #:use-module (gnu services base)
  #:use-module (gnu services shepherd)
  #:use-module (gnu system shadow)
  #:use-module (guix gexp)
  #:use-module (guix records)
  #:export (trustix-proxy-configuration
            trustix-proxy-configuration?
            trustix-proxy-configuration-program
            trustix-proxy-configuration-config-file
            trustix-proxy-service-type
            guix-through))

(define-record-type* <trustix-proxy-configuration>
  trustix-proxy-configuration make-trustix-proxy-configuration
  trustix-proxy-configuration?
  (program trustix-proxy-configuration-program)          ;file name of the executable
  (config-file trustix-proxy-configuration-config-file)) ;file name or file-like object: the JSON of `serve`

(define %home "/var/lib/trustix-proxy")

(define %accounts
  (list (user-group
         (name "trustix-proxy")
         (system? #t))
        (user-account
         (name "trustix-proxy")
         (group "trustix-proxy")
         (system? #t)
         (comment "trustix-proxy")
         (home-directory %home)
         (shell (file-append shadow "/sbin/nologin")))))

(define (shepherd-services config)
  (list (shepherd-service
         (documentation "Serve substitutes that a quorum agrees on.")
         (provision '(trustix-proxy))
         (requirement '(user-processes))
         (start #~(make-forkexec-constructor
                   (list #$(trustix-proxy-configuration-program config)
                         "serve" "--config"
                         #$(trustix-proxy-configuration-config-file config))
                   #:user "trustix-proxy"
                   #:group "trustix-proxy"
                   #:directory #$%home
                   #:log-file "/var/log/trustix-proxy.log"))
         (stop #~(make-kill-destructor)))))

(define trustix-proxy-service-type
  (service-type
   (name 'trustix-proxy)
   (description "Run trustix-proxy, which serves substitutes that a quorum of build farms and logs agrees on.")
   (extensions
    (list (service-extension account-service-type (const %accounts))
          (service-extension shepherd-root-service-type shepherd-services)))))

(define (guix-through config url key)
  "Return CONFIG, a <guix-configuration>, changed so that guix-daemon takes substitutes from the proxy at URL
and trusts KEY, a file-like object with its public key.  The keys of the build farms are left out: with one of
them, that farm alone would be believed."
  (guix-configuration
   (inherit config)
   (substitute-urls (list url))
   (authorized-keys (list key))))
