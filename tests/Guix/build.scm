;; Builds a derivation without any package: guix repl -- build.scm NAME SCRIPT [SOURCE]
;; SCRIPT runs in a static shell from the store, with $out, $shell and $source. Prints the derivation and its output.
(use-modules (guix derivations) (guix store) (guix build utils) (ice-9 match))

(define (make-shell directory)
  (mkdir-p (string-append directory "/bin"))
  (copy-file "/bin/busybox" (string-append directory "/bin/busybox"))
  (chmod (string-append directory "/bin/busybox") #o555)
  (symlink "busybox" (string-append directory "/bin/sh"))
  directory)

(match (command-line)
  ((_ name script)
   (with-store store
     (let* ((shell (add-to-store store "static-shell" #t "sha256" (make-shell "/tmp/static-shell")))
            (builder (string-append shell "/bin/sh"))
            (drv (derivation store name builder (list "-c" script)
                             #:sources (list shell)
                             #:env-vars `(("shell" . ,shell)
                                          ("PATH" . ,(string-append shell "/bin"))))))
       (build-derivations store (list drv))
       (format #t "~a~%~a~%" (derivation-file-name drv) (derivation->output-path drv))))))
