using Spectre.Console;

namespace TrustixProxy.Terminal;

/// <summary>A progress bar on standard error, where somebody sees it.</summary>
internal static class ProgressBar
{
    /// <summary>Does some work and shows how far it is.</summary>
    /// <param name="what">What it is about: "of 12 paths".</param>
    /// <param name="all">When it is done.</param>
    /// <param name="work">The work; tells how far it is.</param>
    public static async Task<T> ShowAsync<T>(string what, double all, Func<Action<double>, Task<T>> work)
    {
        if (Console.IsErrorRedirected)
        {
            return await work(_ => { });
        }

        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        return await console.Progress().AutoClear(true)
            .Columns(new ProgressBarColumn(), new TaskDescriptionColumn(), new RemainingTimeColumn()).StartAsync(progress =>
        {
            var task = progress.AddTask(what, maxValue: all);
            return work(done => task.Value = done);
        });
    }
}
