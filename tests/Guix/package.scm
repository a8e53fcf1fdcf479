;; Prints the output path of a package, without grafts: guix repl -- package.scm NAME
(use-modules (guix) (guix grafts) (gnu packages))

(%graft? #f)
(with-store store
  (format #t "~a~%"
          (derivation->output-path
           (package-derivation store (specification->package (cadr (command-line)))))))
