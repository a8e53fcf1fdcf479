using TrustixProxy.Benchmarks;

// usage: dotnet run -c Release --project tests/Benchmarks -- log [ENTRIES...]
if (args is not ["log", .. var sizes] || !sizes.All(size => int.TryParse(size, out var entries) && entries >= 1000))
{
    Console.Error.WriteLine("usage: dotnet run -c Release --project tests/Benchmarks -- log [ENTRIES...]   (1000 or more; 10000 100000 1000000 unless given)");
    return 2;
}

return await LogBenchmark.RunAsync(sizes.Length > 0 ? [.. sizes.Select(size => int.Parse(size, System.Globalization.CultureInfo.InvariantCulture))] : [10_000, 100_000, 1_000_000]);
