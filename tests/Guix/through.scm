;; Prints what guix-through makes of the default configuration: the servers, and how many keys are trusted.
(use-modules (gnu services base) (guix gexp) (trustix-proxy))

(let ((config (guix-through (guix-configuration) "http://127.0.0.1:8080" (plain-file "key" "(public-key)"))))
  (format #t "~a ~a~%"
          (guix-configuration-substitute-urls config)
          (length (guix-configuration-authorized-keys config))))
