using System.Text;

namespace TrustixProxy.Clients.Differential;

/// <summary>Odd layouts, fields and numbers of narinfos.</summary>
internal static class NarInfoOddities
{
    public static IEnumerable<Oddity> All => [.. Layout(), .. Fields(), .. Numbers()];

    private static IEnumerable<Oddity> Layout() =>
    [
        new("fields in reverse order") { Lines = sample => sample.Lines.Reverse() },
        new("CRLF line ends") { Text = text => text.Replace("\n", "\r\n", StringComparison.Ordinal) },
        new("CR after an unknown field") { Lines = Oddity.Last("Note: read by nobody\r") },
        new("CR after the deriver") { Text = text => text.Replace(".drv\n", ".drv\r\n", StringComparison.Ordinal) },
        new("no newline at the end") { Text = text => text.TrimEnd('\n') },
        new("an empty line at the end") { Text = text => text + "\n" },
        new("an empty line before a signature") { Lines = sample => sample.Lines.SkipLast(1).Append("").Append(sample.Lines.Last()) },
        new("an empty line before an unknown field") { Lines = Oddity.Last("", "Note: read by nobody") },
        new("an empty line at the start") { Text = text => "\n" + text },
        new("a line without a colon before an unknown field") { Lines = Oddity.Last("just words", "Note: read by nobody") },
        new("no blank after a colon") { Text = text => text.Replace("NarSize: ", "NarSize:", StringComparison.Ordinal) },
        new("a tab after a colon") { Text = text => text.Replace("NarHash: ", "NarHash:\t", StringComparison.Ordinal) },
        new("two blanks after a colon") { Text = text => text.Replace("NarSize: ", "NarSize:  ", StringComparison.Ordinal) },
        new("references without the blank") { Text = text => text.Replace("References: \n", "References:\n", StringComparison.Ordinal) },
        new("an unknown field without a blank or value, then another") { Lines = Oddity.Last("Note:", "Other: read by nobody") },
        new("a blank before a field") { Text = text => text.Replace("FileSize:", " FileSize:", StringComparison.Ordinal) },
        new("a blank before a colon") { Text = text => text.Replace("FileSize:", "FileSize :", StringComparison.Ordinal) },
        new("a field in lower case") { Text = text => text.Replace("FileSize:", "filesize:", StringComparison.Ordinal) },
        new("a blank behind a compression") { Lines = Oddity.Set("Compression", "none ") },
        new("a blank behind a URL") { Lines = Oddity.Set("URL", sample => sample.Url + " ") },
    ];

    private static IEnumerable<Oddity> Fields() =>
    [
        new("an unknown field") { Lines = Oddity.First("Note: read by nobody") },
        new("an unknown field twice") { Lines = Oddity.Last("Note: one", "Note: two") },
        new("an unknown field with colons") { Lines = Oddity.Last("Note: a: b: c") },
        new("an unknown field without a value") { Lines = Oddity.Last("Note: ") },
        new("an unknown field in UTF-8") { Lines = Oddity.Last("Note: " + Encoding.Latin1.GetString("größer"u8)) },
        new("an unknown field with every byte from 128")
        {
            Lines = Oddity.Last("Note: " + string.Concat(Enumerable.Range(128, 128).Select(c => (char)c))),
        },
        new("an unknown field with control characters") { Lines = Oddity.Last("Note: \u0001\t\u007f\u001b[0m") },
        new("an unknown field with a zero byte") { Lines = Oddity.Last("Note: a\0b") },
        new("an unknown field's name in UTF-8") { Lines = Oddity.Last(Encoding.Latin1.GetString("Größe"u8) + ": 12") },
        new("an unknown field of 100 kB") { Lines = Oddity.Last("Note: " + new string('x', 100_000)) },
        new("an unknown field of 2 MB") { Lines = Oddity.Last("Note: " + new string('x', 2_000_000)) },
        new("a system twice") { Lines = Oddity.Last("System: x", "System: x") },
        new("a system") { Lines = Oddity.Last("System: x86_64-linux") },
        new("an empty system") { Lines = Oddity.Last("System: ") },
        new("an empty content address") { Lines = Oddity.Last("CA: ") },
        .. from field in new[] { "StorePath", "URL", "Compression", "FileHash", "FileSize", "NarHash", "NarSize", "Deriver" }
           select new Oddity($"{field} twice, the same") { Lines = Twice(field) },
        new("URL twice, the last is right") { Lines = Oddity.First("URL: nar/elsewhere.nar") },
        new("NarSize twice, the last is right") { Lines = Oddity.First("NarSize: 1") },
        new("Compression twice, the last is right") { Lines = Oddity.First("Compression: xz") },
        new("no FileHash and no FileSize")
        {
            Lines = sample => sample.Lines.Where(line => !line.StartsWith("File", StringComparison.Ordinal)),
        },
        new("no FileHash, xz") { Compression = "xz", Lines = Oddity.Drop("FileHash") },
        new("no FileSize") { Lines = Oddity.Drop("FileSize") },
        new("no References") { Lines = Oddity.Drop("References") },
        new("no Deriver") { Lines = Oddity.Drop("Deriver") },
    ];

    private static IEnumerable<Oddity> Numbers() =>
        from field in new[] { "FileSize", "NarSize" }
        from odd in new (string Name, Func<long, string> Write)[]
        {
            ("with leading zeros", size => $"000{size}"),
            ("with a plus", size => $"+{size}"),
            ("with a blank behind", size => $"{size} "),
            ("with words behind", size => $"{size} bytes"),
            ("with a fraction", size => $"{size}.0"),
            ("in hexadecimal", size => $"0x{size:x}"),
        }
        select new Oddity($"{field} {odd.Name}")
        {
            Lines = Oddity.Set(field, sample => odd.Write(field is "NarSize" ? sample.Nar.Length : sample.File.Length)),
        };

    private static Func<Sample, IEnumerable<string>> Twice(string field) =>
        sample => sample.Lines.Append(sample.Lines.First(line => line.StartsWith($"{field}:", StringComparison.Ordinal)));
}
