using System.Globalization;

namespace TrustixProxy.Benchmarks;

/// <summary>Prints each figure beside its bar, and remembers whether all were met.</summary>
internal sealed class Figures
{
    public bool AllMet { get; private set; } = true;

    public void AtLeast(string what, double figure, string unit, double bar) =>
        Print(what, figure, unit, $"at least {Text(bar)}", figure >= bar);

    public void AtMost(string what, double figure, string unit, double bar) =>
        Print(what, figure, unit, $"at most {Text(bar)}", figure <= bar);

    /// <summary>The one in the middle.</summary>
    public static double Median(IEnumerable<double> numbers) => numbers.Order().ToList() is var sorted ? sorted[sorted.Count / 2] : 0;

    /// <summary>Prints a figure that has no bar.</summary>
    public static void Show(string what, double figure, string unit) => Console.WriteLine($"  {what,-58} {Text(figure),12} {unit}");

    private void Print(string what, double figure, string unit, string bar, bool isMet)
    {
        AllMet &= isMet;
        Console.WriteLine($"  {what,-58} {Text(figure),12} {unit,-10} {bar,-18} {(isMet ? "met" : "MISSED")}");
    }

    private static string Text(double number) => number.ToString(Math.Abs(number) >= 100 ? "N0" : "0.###", CultureInfo.InvariantCulture);
}
