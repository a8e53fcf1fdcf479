;; Asks for substitutes of many paths in one query: guix repl -- query.scm FILE
;; FILE names one store path a line. Prints how many can be substituted.
(use-modules (guix store) (ice-9 rdelim))

(define paths
  (call-with-input-file (cadr (command-line))
    (lambda (port)
      (let loop ((line (read-line port)) (all '()))
        (if (eof-object? line) (reverse all) (loop (read-line port) (cons line all)))))))

(with-store store
  (format #t "~a~%" (length (substitutable-paths store paths))))
