using System.Collections.Concurrent;
using Microsoft.Playwright;

namespace TrustixProxy.Browser;

/// <summary>A window of the browser, with cookies and all of its own.</summary>
public sealed class Window(Uri root, IBrowserContext context) : IAsyncDisposable
{
    /// <summary>What went wrong in it.</summary>
    public ConcurrentQueue<string> Complaints { get; } = new();

    /// <summary>Opens a page, and waits until it is there.</summary>
    public async Task<IPage> GoAsync(string path)
    {
        var page = await context.NewPageAsync();
        page.PageError += (_, error) => Complaints.Enqueue(error);
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
            {
                Complaints.Enqueue(message.Text);
            }
        };
        page.Dialog += (_, dialog) => Complaints.Enqueue($"dialog: {dialog.Message}");
        page.Request += (_, request) =>
        {
            if (!request.Url.StartsWith(root.ToString(), StringComparison.Ordinal) && request.Url is not "data:,")
            {
                Complaints.Enqueue($"request to {request.Url}");
            }
        };
        await page.GotoAsync(path, new PageGotoOptions { WaitUntil = WaitUntilState.DOMContentLoaded });
        return page;
    }

    /// <summary>Keeps a picture for whoever wants to see it, where TRUSTIXPROXY_SCREENSHOTS names a folder.</summary>
    /// <param name="height">Height of the part from above; the whole page when null.</param>
    public static async Task PictureAsync(IPage page, string name, int? height = null)
    {
        if (Environment.GetEnvironmentVariable("TRUSTIXPROXY_SCREENSHOTS") is { Length: > 0 } folder)
        {
            await page.ScreenshotAsync(new PageScreenshotOptions
            {
                Path = Path.Combine(folder, $"{name}.png"),
                FullPage = true,
                Clip = height is null ? null : new Clip { Width = page.ViewportSize!.Width, Height = height.Value },
            });
        }
    }

    public async ValueTask DisposeAsync() => await context.DisposeAsync();
}
