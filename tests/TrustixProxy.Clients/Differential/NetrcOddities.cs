namespace TrustixProxy.Clients.Differential;

/// <summary>Odd netrc files with credentials for <c>localhost</c>.</summary>
internal static class NetrcOddities
{
    private const string Plain = "machine localhost login nix password s3cret";

    public static IReadOnlyList<(string Name, string Text)> All =>
    [
        .. Layouts, .. Entries, .. Words, .. Quotes, .. Comments,
    ];

    private static (string Name, string Text)[] Layouts =>
    [
        ("a plain line", $"{Plain}\n"),
        ("no newline at the end", Plain),
        ("tabs", Plain.Replace(' ', '\t')),
        ("many blanks", Plain.Replace(" ", "   ", StringComparison.Ordinal)),
        ("blanks in front and behind", $"   {Plain}   \n"),
        ("a word a line", Plain.Replace(' ', '\n')),
        ("CRLF", "machine localhost\r\nlogin nix\r\npassword s3cret\r\n"),
        ("CRLF after one line", $"{Plain}\r\n"),
        ("empty lines between words", Plain.Replace(" ", "\n\n", StringComparison.Ordinal)),
        ("a form feed", Plain.Replace(" login", "\flogin", StringComparison.Ordinal)),
        ("a byte order mark", $"\ufeff{Plain}\n"),
        ("an empty file", ""),
        ("only a newline", "\n"),
        ("words", "nothing of note\n"),
        ("a line of 5,000 characters before", $"{new string('x', 5000)}\n{Plain}\n"),
        ("a password of 3,000 characters", $"machine localhost login nix password {new string('p', 3000)}\n"),
    ];

    private static (string Name, string Text)[] Entries =>
    [
        ("another machine before", $"machine other login a password b\n{Plain}\n"),
        ("another machine behind", $"{Plain}\nmachine other login a password b\n"),
        ("only another machine", "machine other login a password b\n"),
        ("a machine twice", $"{Plain}\nmachine localhost login a password b\n"),
        ("a machine twice, the first without a password", "machine localhost login a\nmachine localhost login nix password s3cret\n"),
        ("a machine twice, the first without a login", "machine localhost password b\nmachine localhost login nix password s3cret\n"),
        ("a machine twice, the first empty", $"machine localhost\n{Plain}\n"),
        ("three machines on one line", "machine a login b password c machine localhost login nix password s3cret machine d login e\n"),
        ("a default entry behind", "machine other login a password b\ndefault login nix password s3cret\n"),
        ("a default entry in front", $"default login a password b\n{Plain}\n"),
        ("only a default entry", "default login nix password s3cret\n"),
        ("an empty default entry in front", $"default\n{Plain}\n"),
        ("a default entry with a machine's name", "default localhost login nix password s3cret\n"),
        ("a machine in capitals", Plain.Replace("localhost", "LOCALHOST", StringComparison.Ordinal)),
        ("a machine with a port", "machine localhost:80 login nix password s3cret\n"),
        ("a machine with a scheme", "machine http://localhost login nix password s3cret\n"),
        ("a machine with a dot behind", "machine localhost. login nix password s3cret\n"),
        ("a machine with a wildcard", "machine * login nix password s3cret\n"),
        ("a machine's domain", "machine host login nix password s3cret\n"),
    ];

    private static (string Name, string Text)[] Words =>
    [
        ("the password first", "machine localhost password s3cret login nix\n"),
        ("no login", "machine localhost password s3cret\n"),
        ("no password", "machine localhost login nix\n"),
        ("neither", "machine localhost\n"),
        ("a login twice", "machine localhost login nix login other password s3cret\n"),
        ("a password twice", "machine localhost login nix password s3cret password other\n"),
        ("a login without a value", "machine localhost login"),
        ("a password without a value", "machine localhost login nix password"),
        ("a machine without a value", "machine"),
        ("a login before the machine", "login nix password s3cret machine localhost\n"),
        ("keywords in capitals", "MACHINE localhost LOGIN nix PASSWORD s3cret\n"),
        ("user and pass", "machine localhost user nix pass s3cret\n"),
        ("an account", "machine localhost login nix account acct password s3cret\n"),
        ("an account called login", "machine localhost account login login nix password s3cret\n"),
        ("an unknown word", "machine localhost port 80 login nix password s3cret\n"),
        ("a login called password", "machine localhost login password password s3cret\n"),
        ("a password called machine", "machine localhost login nix password machine\n"),
        ("a colon in the login", "machine localhost login a:b password c\n"),
        ("a colon in the password", "machine localhost login a password b:c\n"),
        ("UTF-8", "machine localhost login gr\u00fcn password \u5bc6\u7801\n"),
        ("escapes outside quotes", "machine localhost login a\\tb password c\\\\d\n"),
        ("percent escapes", "machine localhost login a%20b password c%3Ad\n"),
    ];

    private static (string Name, string Text)[] Quotes =>
    [
        ("quotes", "machine localhost login \"nix\" password \"s3cret\"\n"),
        ("blanks in quotes", "machine localhost login \"n i x\" password \" s3 cret \"\n"),
        ("escapes in quotes", "machine localhost login \"n\\\"ix\" password \"s\\\\3\\tc\\x\"\n"),
        ("empty quotes", "machine localhost login \"\" password \"\"\n"),
        ("an empty password in quotes", "machine localhost login nix password \"\"\n"),
        ("a machine in quotes", "machine \"localhost\" login nix password s3cret\n"),
        ("a keyword in quotes", "\"machine\" localhost \"login\" nix \"password\" s3cret\n"),
        ("a quote that does not end", "machine localhost login nix password \"s3cret\n"),
        ("a quote that does not end, in a later entry", $"{Plain}\nmachine other login a password \"b\n"),
        ("a quote that does not end, in an earlier entry", $"machine other login a password \"b\n{Plain}\n"),
        ("a quote inside a word", "machine localhost login n\"i\"x password s3\"cret\n"),
        ("words directly behind a quote", "machine localhost login \"nix\"password \"s3cret\"\n"),
        ("a hash in quotes", "machine localhost login nix password \"#s3cret\"\n"),
        ("a backslash at the end of a quote", "machine localhost login nix password \"s3cret\\\"\n"),
    ];

    private static (string Name, string Text)[] Comments =>
    [
        ("a comment before", $"# words\n{Plain}\n"),
        ("a comment with an entry", $"# machine localhost login a password b\n{Plain}\n"),
        ("a comment with a blank in front", $"  # machine localhost login a password b\n{Plain}\n"),
        ("a comment behind", $"{Plain} # words\n"),
        ("a comment behind without a blank", $"{Plain}# words\n"),
        ("a comment between words", "machine localhost # words\nlogin nix # words\npassword s3cret\n"),
        ("a password that begins with a hash", "machine localhost login nix password #s3cret\n"),
        ("a login that begins with a hash", "machine localhost login #nix password s3cret\n"),
        ("a hash in a password", "machine localhost login nix password s3#cret\n"),
        ("a macro before", $"macdef init\ncd /tmp\nmachine localhost login a password b\n\n{Plain}\n"),
        ("a macro before without an empty line", $"macdef init\ncd /tmp\n{Plain}\n"),
        ("a macro that ends at a line of blanks", $"macdef init\ncd /tmp\n  \n{Plain}\n"),
        ("a macro that ends at CRLF", $"macdef init\r\ncd /tmp\r\n\r\n{Plain}\r\n"),
        ("a macro behind", $"{Plain}\nmacdef init\ncd /tmp\n\n"),
        ("a macro inside an entry", "machine localhost login nix\nmacdef init\ncd /tmp\n\npassword s3cret\n"),
        ("a macro in capitals", $"MACDEF init\ncd /tmp\n\n{Plain}\n"),
    ];
}
